"""Airflow provider for audience segments and user groups."""

__version__ = "0.1.0"
