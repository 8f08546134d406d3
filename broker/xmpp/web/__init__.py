"""XMPP over HTTP: WebSocket (RFC 7395), and where it is found (XEP-0156)."""
