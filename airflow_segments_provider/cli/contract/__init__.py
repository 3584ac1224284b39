"""The `check-contract` command: compares the requests of this package with a vendor's description of its API."""
