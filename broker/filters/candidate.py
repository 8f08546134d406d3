"""What a filter sees of a message."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from broker.model.key import Key
from broker.model.qos import PublishQos


class Candidate(Protocol):
    """A message that may be delivered, if the filters of the subscription let it pass."""

    @property
    def key(self) -> Key:
        """Its key; the MIME type in it decides whether a filter applies at all."""

    @property
    def qos(self) -> PublishQos:
        """How it was published."""

    @property
    def content(self) -> bytes:
        """Its content; the same object for every subscriber, so that it is parsed only once."""


Predicate = Callable[[Candidate], bool]
"""Whether a message passes. Raises BrokerError (``user.configuration`` or ``user.message.invalid``) where it cannot
be told; the message is then a dead message for this subscriber (spec xmlblaster §11)."""
