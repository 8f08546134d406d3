"""Tests of the server's side of connection managers."""
