"""Docebo's audiences service, with the endpoints of tokens, users and jobs; what is not documented is a setting."""
