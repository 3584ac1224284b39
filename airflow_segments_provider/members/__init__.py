"""The sync engine, which makes the members of a segment follow a source, and the sources. It imports no vendor."""
