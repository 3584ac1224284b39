"""Docebo's audiences API."""
