"""Sensors, one module a vendor."""
