"""Updates for a client that asks for them: the single channel (spec doors §1.3).

One update is on its way at a time, and it stays the session's until the client has acknowledged it. A client that asks
again without that, because it never saw the answer, gets it again with the same number, marked as a repetition.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from zope.interface import implementer

from broker.core.entries import Entry
from broker.core.node import Node
from broker.core.sessions import Session
from broker.errors import BrokerError
from broker.native.update_answers import refusals_of
from broker.native.wire.frames import Frame, Kind, Unit, encode_unit
from broker.native.xmlrpc.units import units_of
from broker.ports import IOutbound
from broker.timers import cancel


@dataclass(frozen=True, slots=True)
class PolledUpdate:
    """What is handed out to a client that has asked for it.

    Args:
        method: ``update``, which the client acknowledges, or ``updateOneway``.
        number: by which it does.
        units: the messages.
    """

    method: str
    number: str
    units: Sequence[Unit]


@implementer(IOutbound)
class PollChannel:
    """Where the deliveries of one session go: to whoever waits for them.

    Args:
        node: of the core.
        session: whose updates they are.
        on_closed: told when another connection has the session, or it has ended.

    Attributes:
        writable: somebody waits.
    """

    def __init__(self, node: Node, session: Session, on_closed: Callable[[PollChannel], None]) -> None:
        self.writable = False
        self._node = node
        self._session = session
        self._on_closed = on_closed
        self._waiting: Deferred[PolledUpdate | None] | None = None
        self._timer: IDelayedCall | None = None
        self._unanswered = ""  # the number of the update that is on its way

    def poll(self, milliseconds: int) -> Deferred[PolledUpdate | None]:
        """Wait for an update.

        Args:
            milliseconds: after which there is none.

        Returns:
            Fires with it, or with ``None``; may be cancelled.
        """
        self.interrupt()
        dispatch = self._session.dispatch
        if self._unanswered:
            self._unanswered = ""
            dispatch.attach(self)  # which queues again what was on its way
        waiting = self._waiting = Deferred(self._left)
        self._timer = self._node.later(milliseconds, self.interrupt)
        self.writable = True
        dispatch.resume()
        return waiting

    def interrupt(self) -> None:
        """Whoever waits gets nothing."""
        self._answer(None)

    def answered(self, number: str, states: Sequence[str], error: BrokerError | None) -> None:
        """The client has taken an update, or refused it.

        Args:
            number: of the update; another one than that on its way is done already, and changes nothing.
            states: a QoS for each of its messages.
            error: why it refused all of them.
        """
        if not self._unanswered or number != self._unanswered:
            return
        self._unanswered = ""
        dispatch = self._session.dispatch
        if error is not None:
            dispatch.refused(error)
            return
        body = b"".join(encode_unit(each.encode()) for each in states)
        refused = refusals_of(Frame(Kind.RESPONSE, b"", b"update", b"", body)) if dispatch.in_flight > 1 else None
        if refused:
            dispatch.refused_some(refused)
        else:
            dispatch.acknowledged()

    def deliver(self, entries: Sequence[Entry], oneway: bool) -> None:
        """Hand out an update (:meth:`broker.ports.IOutbound.deliver`)."""
        number = str(entries[0].seq)
        if not oneway:
            self._unanswered = number
        method = "updateOneway" if oneway else "update"
        self._answer(PolledUpdate(method, number, units_of(entries, self._session, self._node)))

    def deliver_oneway(self, entries: Sequence[Entry]) -> None:
        """Hand out messages that are not acknowledged, together (:meth:`broker.ports.IOutbound.deliver_oneway`)."""
        self.deliver(entries, True)

    def ping(self) -> None:
        """Whether the client is there shows when it asks again; until then its messages wait."""
        self._node.later(0, self._session.dispatch.ponged)

    def close(self, reason: str) -> None:
        """Another connection has the session, or it has ended (:meth:`broker.ports.IOutbound.close`)."""
        self._unanswered = ""
        self.interrupt()
        self._on_closed(self)

    def _answer(self, update: PolledUpdate | None) -> None:
        waiting = self._stop_waiting()
        if waiting is not None:
            waiting.callback(update)

    def _left(self, waiting: Deferred[PolledUpdate | None]) -> None:
        """The client has closed its connection while it waited."""
        if waiting is self._waiting:
            self._stop_waiting()

    def _stop_waiting(self) -> Deferred[PolledUpdate | None] | None:
        waiting, self._waiting = self._waiting, None
        self.writable = False
        cancel(self._timer)
        return waiting
