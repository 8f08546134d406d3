"""Sockets, as all protocols share them: one transport, one listener, TLS, and turns that are fair."""
