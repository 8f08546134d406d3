"""The XMPP service of a domain: what its streams, accounts and nodes do. Above the core, below the sockets."""
