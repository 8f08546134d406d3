"""``broker check``."""
