"""What the XMPP service offers its clients, one module for each protocol."""
