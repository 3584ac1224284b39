"""WalkMe's Segments API, as it is documented; what is not documented is a setting."""
