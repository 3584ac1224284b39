"""Alteryx Server's API v3 for user groups, as far as it is known; what is not known is a setting."""
