"""Stanzas that go over the connection of an XMPP client, for who looks on (operations §1.17)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from broker.errors import BrokerError, Code
from broker.xml.stanza import Stanza
from broker.xml.stream import StreamError, StreamReader
from broker.xmpp.stream.bound import BoundStream
from broker.xmpp.stream.connection import StreamConnection
from broker.xmpp.wire import ns

MAX_STANZA = 64 << 20
SECRET = frozenset({"jabber:iq:register", "jabber:iq:auth"})
"""Namespaces of elements that have passwords in them (XEP-0077, XEP-0078)."""
_HEADER = f"<stream:stream xmlns='{ns.CLIENT}' xmlns:stream='{ns.STREAM}' version='1.0'>".encode()


class Passed(NamedTuple):
    """A stanza.

    Args:
        direction: ``in`` or ``out``.
        name: of the element.
        attributes: of it.
        raw: its bytes.
        is_secret: it may have a password in it.
    """

    direction: str
    name: str
    attributes: dict[str, str]
    raw: bytes
    is_secret: bool


class StanzaTap:
    """Looks at the stanzas of one connection. Where its client has not logged in nothing can be looked at.

    Args:
        connection: of the client.
        passed: is told of each stanza.
        lost: called when the stream is another one, or gone.

    Raises:
        BrokerError: ``user.illegalArgument`` where nobody has logged in over the connection, ``resource.exhaust`` where
            somebody looks at it already.
    """

    def __init__(
        self, connection: StreamConnection, passed: Callable[[Passed], None], lost: Callable[[], None]
    ) -> None:
        phase = connection.phase
        if not isinstance(phase, BoundStream):
            raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, "nobody has logged in over this connection")
        if connection.tap is not None:
            raise BrokerError(Code.RESOURCE_EXHAUST, "somebody looks at the stanzas of this connection already")
        self._phase = phase
        self._passed = passed
        self._reader = StreamReader(MAX_STANZA)
        self._reader.feed(_HEADER)
        self._reader.stepwise = False
        phase.follow(self._came, self._sent)
        phase.on_stop = lost

    def stop(self) -> None:
        """Look no more."""
        self._phase.on_stop = None
        self._phase.follow(None, None)

    def _came(self, stanza: Stanza) -> None:
        self._passed(_passed("in", stanza))

    def _sent(self, data: bytes) -> None:
        try:
            found = self._reader.feed(data)
        except StreamError:  # what the broker writes can be read, so this is the end of the stream
            return
        for each in found:
            if isinstance(each, Stanza):
                self._passed(_passed("out", each))


def _passed(direction: str, stanza: Stanza) -> Passed:
    is_secret = any(namespace in SECRET for namespace, _ in stanza.children)
    return Passed(direction, stanza.name, stanza.attributes, stanza.raw, is_secret)
