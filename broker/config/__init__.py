"""Properties: where they come from, which there are, and how they are read."""
