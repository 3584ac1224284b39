"""The ledger of a segment: intents, acknowledgements and commits, durable before the first request."""
