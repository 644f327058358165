"""The commands, a module for each kind; imported one at a time, when they run."""
