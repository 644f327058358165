"""The AWS stacks, which read the same `proofcast.toml`."""

import os

from infra.node import node

if found := node():
    os.environ.setdefault("JSII_NODE", found)  # aws_cdk starts it as soon as it is imported
