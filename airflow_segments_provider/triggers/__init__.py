"""Triggers, one module a vendor."""
