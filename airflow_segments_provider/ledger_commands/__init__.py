"""What people do with ledgers at a terminal; each command returns its exit status and what it says."""
