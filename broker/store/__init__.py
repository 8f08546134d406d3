"""Durable state behind :class:`broker.ports.IStore` (design D1–D5, D14)."""
