"""The `ledger` commands: each returns its exit status and the lines that it prints."""
