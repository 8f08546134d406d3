"""Deliveries to the server of a client: ``$default.update``, one message a call (spec doors §1.1)."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, TypeAlias

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from zope.interface import implementer

from broker.core.entries import Entry
from broker.core.node import Node
from broker.core.sessions import Session
from broker.errors import BrokerError, Code
from broker.native.callback_types import callback_session_of
from broker.native.wire.frames import Unit
from broker.native.wire.xmlrpc import Fault
from broker.native.xmlrpc.caller import Caller
from broker.native.xmlrpc.units import error_of, units_of
from broker.ports import IOutbound

Tell: TypeAlias = Callable[[], None]
"""Tells the dispatch what became of something."""
NO_HANDLER = "no default handler"
"""What a fault says of a server that is there and takes no updates."""


@implementer(IOutbound)
class RemoteServer:
    """Where the deliveries of one session go: to a server, message by message.

    Args:
        node: of the core.
        session: whose updates they are.
        caller: calls the server.
        url: of it.

    Attributes:
        writable: no call is under way.
    """

    def __init__(self, node: Node, session: Session, caller: Caller, url: str) -> None:
        self.writable = True
        self._node = node
        self._session = session
        self._caller = caller
        self._url = url
        self._closed = False
        self._work: Deferred[None] | None = None

    async def greet(self) -> None:
        """See whether it is there; what it answers does not matter.

        Raises:
            BrokerError: ``communication.noConnection``.
        """
        await self._caller.call(self._url, "$default.ping", "<qos/>")

    def deliver(self, entries: Sequence[Entry], oneway: bool) -> None:
        """Send messages (:meth:`broker.ports.IOutbound.deliver`)."""
        units = units_of(entries, self._session, self._node, alone=True)
        self._begin(self._send(units, oneway=oneway))

    def deliver_oneway(self, entries: Sequence[Entry]) -> None:
        """Send messages that are not acknowledged (:meth:`broker.ports.IOutbound.deliver_oneway`)."""
        self.deliver(entries, True)

    def ping(self) -> None:
        """Ask whether the server is there (:meth:`broker.ports.IOutbound.ping`)."""
        if self._work is None:
            self._begin(self._ping())
        else:  # it shows by the answer that is due
            self._node.later(0, self._session.dispatch.ponged)

    def close(self, reason: str) -> None:
        """Another connection has the session, or it has ended (:meth:`broker.ports.IOutbound.close`)."""
        self._closed = True
        self.writable = False
        if self._work is not None:
            self._work.cancel()

    def _begin(self, work: Coroutine[Any, Any, Tell]) -> None:
        self.writable = False
        begun = self._work = Deferred.fromCoroutine(self._done(work))
        begun.addErrback(lambda failure: failure.trap(CancelledError) and None)

    async def _done(self, work: Coroutine[Any, Any, Tell]) -> None:
        """Do something, and tell the dispatch of it, but not within the call in which it was asked for."""
        dispatch = self._session.dispatch
        try:
            await deferLater(self._node.clock, 0)
            tell = await work
        except BrokerError as error:
            tell = partial(dispatch.lost, self, error)
        finally:
            work.close()  # which has not begun where this was cancelled before
        self._work = None
        if self._closed:
            return
        self.writable = True
        tell()
        if self._work is None:
            dispatch.resume()

    async def _send(self, units: Sequence[Unit], *, oneway: bool) -> Tell:
        """Send messages one after the other; those that the client refuses do not come again, the others do.

        Raises:
            BrokerError: ``communication.noConnection``; then none of them counts as delivered.
        """
        receiver = callback_session_of(self._session)
        method = "$default.updateOneway" if oneway else "$default.update"
        refused: dict[int, BrokerError] = {}
        for position, unit in enumerate(units):
            key, qos = unit.key.decode(), unit.qos.decode()
            answer = await self._caller.call(self._url, method, receiver, key, unit.content, qos)
            if isinstance(answer, Fault):
                refused[position] = _refusal(answer)
        dispatch = self._session.dispatch
        if oneway:
            return lambda: None
        if not refused:
            return dispatch.acknowledged
        if len(units) == 1:
            return partial(dispatch.refused, refused[0])
        return partial(dispatch.refused_some, refused)

    async def _ping(self) -> Tell:
        await self.greet()
        return self._session.dispatch.ponged


def _refusal(fault: Fault) -> BrokerError:
    """What a fault says of a message: the client's own exception, or that it cannot take it.

    Raises:
        BrokerError: ``communication.noConnection``: nobody takes updates there.
    """
    if NO_HANDLER in fault.text.lower():
        raise BrokerError(Code.COMMUNICATION_NO_CONNECTION, fault.text[:256])
    error = error_of(fault.text)
    return error if str(error.code).startswith("user.") else BrokerError(Code.USER_UPDATE_ERROR, fault.text[:256])
