"""The sync engine: the members of a segment follow a source. It imports no vendor and no HTTP client."""
