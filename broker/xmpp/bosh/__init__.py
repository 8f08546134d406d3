"""XMPP over BOSH (XEP-0124, XEP-0206): a stream whose connection is a sequence of requests.

To the stream, the server's side of BOSH is a client with stream management: what a client has proved to have got is
acknowledged, and what it has not can be sent again.
"""
