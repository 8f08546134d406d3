"""Frozen values that every layer shares: addresses, keys, QoS, records. No I/O and no XML."""
