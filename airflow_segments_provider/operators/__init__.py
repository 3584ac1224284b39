"""Operators, one module a vendor."""
