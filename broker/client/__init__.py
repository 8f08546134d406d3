"""A client of the native protocol that survives lost connections (spec xmlblaster §19.1, ``client.failsafe``).

:class:`Client` is for programs that run Twisted, :class:`BlockingClient` for all others, and :class:`MemoryBroker` for
their tests.
"""

from broker.client.blocking import BlockingClient
from broker.client.memory import MemoryBroker, MemoryClient
from broker.client.options import ConnectOptions, PublishOptions, SubscribeOptions
from broker.client.session import Client, State
from broker.client.unacknowledged import Unacknowledged, UnacknowledgedError
from broker.client.values import Published, Subscribed, Update

__all__ = [
    "BlockingClient",
    "Client",
    "ConnectOptions",
    "MemoryBroker",
    "MemoryClient",
    "PublishOptions",
    "Published",
    "State",
    "SubscribeOptions",
    "Subscribed",
    "Unacknowledged",
    "UnacknowledgedError",
    "Update",
]
