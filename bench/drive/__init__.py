"""The driver: a process of its own that sends prepared bytes and counts what comes back."""
