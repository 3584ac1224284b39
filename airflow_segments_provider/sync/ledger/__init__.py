"""What was intended and what was acknowledged, durable before the first request."""
