"""Streams of clients, from the first byte to the last (RFC 6120)."""
