"""XML streams as sessions of the core: their window of unacknowledged stanzas, counters and state."""
