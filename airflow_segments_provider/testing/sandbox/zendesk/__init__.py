"""Zendesk's user segments and what lies around them, as documented and recorded; what is neither is a setting."""
