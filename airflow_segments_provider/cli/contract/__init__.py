"""`check-contract`: compares what this package sends with what a vendor publishes about its own API."""
