"""The native protocol over XML-RPC (spec doors §1; requirement ``protocol.xmlrpc``)."""
