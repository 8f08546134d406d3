"""``broker check``: whether a broker could start, and what would be wrong with it; nothing is changed."""
