"""Where user IDs come from, and what a valid one is."""
