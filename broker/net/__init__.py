"""Twisted protocols and factories around :mod:`broker.native.wire`: the only sockets of the broker."""
