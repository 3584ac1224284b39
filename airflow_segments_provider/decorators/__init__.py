"""Operators as decorators of a function."""
