"""XMPP as plain data: stanzas, stream management, SASL. No I/O."""
