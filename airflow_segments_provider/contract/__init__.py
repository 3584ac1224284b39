"""Compares what this package sends with what a vendor says of its own API."""
