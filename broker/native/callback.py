"""Callback connections: the broker dials the client's own callback server (spec xmlblaster §4.1, §20.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater
from twisted.logger import Logger

from broker.core.broker import Broker
from broker.core.sessions import Session
from broker.errors import BrokerError, Code
from broker.model.connect import AddressQos, ConnectQos
from broker.model.number import whole_or_none
from broker.model.property import find
from broker.native.callback_hosts import CallbackHosts, DialPace
from broker.native.callback_types import SOCKET, check_type, is_of_type
from broker.native.connection import NativeConnection
from broker.native.limits import NativeLimits
from broker.native.wire.frames import Frame, Kind, encode_frame
from broker.native.wire.methods import encode_exception
from broker.net.connection_counts import ConnectionCounts
from broker.net.stream import Stream
from broker.net.transport import Connection, TransportSettings

SCHEME = "socket://"
log = Logger()

SERVER_ATTRIBUTE = "callbackServer"
"""Attribute of a callback address that is to be dialled; without it updates use the client's own connection."""
CONNECT_TIMEOUT = 10.0


class CallbackConnection(NativeConnection):
    """A connection to a client's callback server: updates and pings go out, answers come back."""

    def __init__(self, broker: Broker, transport: Connection, limits: NativeLimits) -> None:
        super().__init__(broker, transport, limits)
        self._reader.max_frame = limits.max_frame
        self.invoked = self._refuse
        self.taken = lambda: None

    def _refuse(self, frame: Frame) -> None:
        """A callback server may ask whether the broker is there, nothing else."""
        if frame.method == b"ping":
            self.write(encode_frame(Kind.RESPONSE, self._ids.for_answer(frame), b"ping", frame.session, b""))
            return
        error = BrokerError(Code.USER_NOT_CONNECTED, "a callback connection takes no requests")
        node = self._broker.node.id
        self.write(encode_exception(self._ids.for_answer(frame), frame.method, frame.session, error, node, "", ""))


class CallbackDialer:
    """Dials callback servers, only where the configuration lets it.

    Args:
        reactor: to connect with.
        broker: the core.
        limits: of what servers answer.
        settings: of the connections.
        hosts: that may be dialled.
    """

    def __init__(
        self,
        reactor: Any,
        broker: Broker,
        limits: NativeLimits,
        settings: TransportSettings,
        hosts: CallbackHosts,
    ) -> None:
        self._reactor = reactor
        self._broker = broker
        self._limits = limits
        self._settings = settings
        self._hosts = hosts
        self._pace = DialPace()

    def prepare(self, qos: ConnectQos, peer: str) -> Callable[[Session], Deferred[Any]] | None:
        """How to reach the callback server that a connect names.

        Args:
            qos: of the connect.
            peer: address that the client connected from.

        Returns:
            Makes a connection to the server when it is called with the session; ``None`` where updates go over the
            client's own connection.

        Raises:
            BrokerError: ``resource.configuration.address`` for an address that cannot be read or must not be dialled,
                ``….pluginFailed`` for one of another protocol.
        """
        check_type(qos, SOCKET)
        callback = qos.callback
        if callback is None or not _names_server(callback):
            return None
        host, port = _read_address(callback)
        self._hosts.check(host, port, peer)
        return lambda session: self._dial(session, host, port)

    def adopt(self, sessions: Iterable[Session]) -> None:
        """Reach sessions from the store at the servers that their clients named, where that is still permitted."""
        for session in sessions:
            callback = session.qos.callback
            if callback is not None and is_of_type(callback, SOCKET) and _names_server(callback):
                try:
                    host, port = _read_address(callback)
                    self._hosts.check(host, port, "")
                except BrokerError as error:  # the session waits for its client to come back by itself
                    log.error("{name} is not called back: {reason}", name=session.name.relative, reason=str(error))
                    continue
                session.dispatch.dial = partial(self._dial, session, host, port)

    def _dial(self, session: Session, host: str, port: int) -> Deferred[Any]:
        delay = self._pace.delay(session.subject.name, session.id, self._broker.node.monotonic())
        if delay <= 0:
            return self._connect(session, host, port)
        waiting: Deferred[Any] = deferLater(self._reactor, delay)
        return waiting.addCallback(lambda _: self._connect(session, host, port))

    def _connect(self, session: Session, host: str, port: int) -> Deferred[Any]:
        def make_stream(transport: Connection, host: str) -> CallbackConnection:
            connection = CallbackConnection(self._broker, transport, self._limits)
            connection.bind(session)
            return connection

        def build() -> Connection:
            return Connection(self._settings, _Nobody(), make_stream, host)

        endpoint = HostnameEndpoint(self._reactor, host.encode("idna"), port, timeout=CONNECT_TIMEOUT)
        dialling: Deferred[Any] = endpoint.connect(Factory.forProtocol(build))
        return dialling.addCallback(_stream_of)


class _Nobody:
    """The owner of connections that the broker has opened itself: they are no strangers."""

    def __init__(self) -> None:
        self.counts = ConnectionCounts()

    def opened(self, connection: Connection) -> None:
        """It is there."""

    def logged_in(self, connection: Connection) -> None:
        """It never does."""

    def closed(self, connection: Connection) -> None:
        """It is gone; the session tells its dispatch."""

    def refused(self, connection: Connection, reason: str) -> None:
        """It was broken off by this side."""
        log.info("{host}: {reason}", host=connection.host, reason=reason)


def _stream_of(connection: Connection) -> Stream:
    return connection.stream


def _names_server(callback: AddressQos) -> bool:
    wanted = find(callback.attributes, SERVER_ATTRIBUTE)
    return wanted is not None and wanted.is_true


def _read_address(callback: AddressQos) -> tuple[str, int]:
    raw = callback.raw.strip()
    address = raw[len(SCHEME) :] if raw.startswith(SCHEME) else raw
    host, _, digits = address.rstrip("/").rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    port = whole_or_none(digits, 1, 65535)
    if port is None or not _is_name(host):
        raise BrokerError(
            Code.RESOURCE_CONFIGURATION_ADDRESS,
            f"the callback address '{raw[:256]}' is not of the form socket://host:port",
        )
    return host, port


def _is_name(host: str) -> bool:
    """Whether a resolver can be asked for it."""
    try:
        return bool(host.encode("idna"))
    except UnicodeError:
        return False
