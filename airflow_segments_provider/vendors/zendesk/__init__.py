"""Zendesk's Help Center and Support APIs."""
