"""The sync engine, which makes the members of a segment follow a source. It imports no vendor and no HTTP client."""
