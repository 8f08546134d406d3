"""Hardened parsing and writing of XML; the only package that parses XML or imports lxml (design D11)."""
