"""From an Airflow connection to a vendor's endpoints, one module a vendor."""
