"""The native protocol: xmlBlaster's SOCKET framing, with keys and QoS as XML."""
