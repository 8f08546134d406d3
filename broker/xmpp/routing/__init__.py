"""Where stanzas go, and how they are queued (RFC 6120 §10, RFC 6121 §8)."""
