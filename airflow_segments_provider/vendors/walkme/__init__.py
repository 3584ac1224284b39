"""WalkMe's Segments API."""
