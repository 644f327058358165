"""The dashboard in the terminal: what sources read in threads of their own becomes rows, and rows widgets."""
