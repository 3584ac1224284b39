"""What tests of users import: the sandbox, and the conformance suite of targets."""
