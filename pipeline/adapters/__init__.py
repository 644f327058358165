"""One outside technology each; no adapter knows another."""
