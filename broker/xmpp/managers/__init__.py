"""The server's side of connection managers: links, and the clients that they carry."""
