"""Alteryx Server's API v3."""
