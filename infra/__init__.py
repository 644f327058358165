"""Reserved: the AWS stacks, which read the same `proofcast.toml`."""
