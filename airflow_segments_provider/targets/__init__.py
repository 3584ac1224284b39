"""One adapter a vendor, by which the sync engine reaches a segment: from ``members.target`` to the hook."""
