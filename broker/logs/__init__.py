"""What is written to the log: how, where, and how much of it."""
