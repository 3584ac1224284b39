"""Sources of user IDs, and the rules for valid ones."""
