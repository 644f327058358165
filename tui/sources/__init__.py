"""What is read of an engine, each in a thread of its own, and made ready to show there. No Textual here."""
