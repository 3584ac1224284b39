"""Who is wanted: where people's ids come from. Knows no vendor."""
