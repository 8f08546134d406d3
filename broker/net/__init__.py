"""Twisted protocols and factories around :mod:`broker.wire`: the only sockets of the broker."""
