"""Protocols without I/O: bytes become events, commands become bytes; no transport, no clock, no store."""
