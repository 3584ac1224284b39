"""The targets of a sync: for each vendor, an adapter from ``sync.target`` to the hook."""
