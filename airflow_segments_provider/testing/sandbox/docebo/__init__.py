"""Docebo's audiences service, with the token, user and job endpoints around it; what is not documented is a setting."""
