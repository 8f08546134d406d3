"""Topics of the core as publish-subscribe nodes (XEP-0060)."""
