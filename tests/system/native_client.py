"""Native clients of broker processes."""

from __future__ import annotations

from broker.client import BlockingClient, ConnectOptions
from tests.system.launcher import BrokerProcess


def connected(broker: BrokerProcess, options: ConnectOptions) -> BlockingClient:
    """A client that has logged in, and tries twenty times in a second to come back where it loses the broker."""
    client = BlockingClient(*broker.address(), options, delay=0.05)
    client.connect()
    return client
