"""What the vendors have in common."""
