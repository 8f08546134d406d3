"""The connection manager: a process that holds the sockets of XMPP clients and carries their streams to the broker."""
