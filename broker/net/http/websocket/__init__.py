"""WebSocket (RFC 6455): the handshake, the frames as values, and a stream of messages over one connection."""
