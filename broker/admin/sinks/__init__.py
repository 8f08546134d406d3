"""Where events go beside the ring of the last ones: a topic, the log, a command (spec xmlblaster §16.7)."""
