"""A client's side of a native connection without a network, for plays: requests go in, answers come out."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionLost
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from broker.core.settings import Settings
from broker.errors import BrokerError, Code
from broker.model.connect import Credentials
from broker.native.callback import CallbackDialer
from broker.native.callback_hosts import CallbackHosts
from broker.native.codec import read_connect_qos
from broker.native.limits import NativeLimits
from broker.native.server import NativeServer
from broker.native.service import NativeService
from broker.native.wire.compress import ZlibStreamReader, ZlibStreamWriter
from broker.native.wire.frames import Frame, FrameReader, Kind, Unit, encode_frame, encode_unit, encode_units
from broker.native.wire.methods import decode_exception
from broker.net.limits import Limits
from broker.net.listener import Listener as PortListener
from broker.net.store_pressure import StorePressure
from broker.net.transport import Connection, TransportSettings
from broker.net.turns import Turns
from tests.core.world import DEFAULTS, World

OK = encode_unit(b"<qos><state id='OK'/></qos>")
LIMITS = NativeLimits()
NET = Limits(room=0)


class Transport(StringTransport):
    """A transport that can be aborted and whose buffer can be full."""

    aborting = False
    let_go = False
    dataBuffer = b""
    offset = _tempDataLen = 0
    socket = os.open(os.devnull, os.O_RDONLY)

    def loseWriteConnection(self) -> None:
        """Close this side."""
        self.disconnecting = True

    def loseConnection(self) -> None:
        """Close both sides."""
        self.let_go = True
        super().loseConnection()

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """Nothing to do."""

    def abortConnection(self) -> None:
        """Close at once."""
        self.aborting = True
        self.disconnecting = True

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Nothing to do."""


class Listener:
    """A broker with one listener, and everything that is connected to it.

    Args:
        limits: what clients may ask for.
        settings: of the core.
        net: what clients may do to their sockets.
        compress: the listener speaks ``zlib:stream``.
        seconds: measures turns; by default none ever ends.
        world: with the broker; a new one where it is not given.
    """

    def __init__(
        self,
        limits: NativeLimits = LIMITS,
        settings: Settings = DEFAULTS,
        net: Limits = NET,
        *,
        compress: bool = False,
        seconds: Callable[[], float] = float,
        world: World | None = None,
    ) -> None:
        self.world = world or World(settings)
        self.checking: list[Deferred[None]] | None = None
        self.broker = self.world.broker
        self.broker.authenticate = self._authenticate
        self.limits = limits
        self.compress = compress
        clock: Any = self.world.clock
        terms = TransportSettings(clock, Turns(clock, seconds), net, StorePressure(self.world.store))
        self.service = NativeService(
            self.broker, self.world.login, CallbackDialer(None, self.broker, limits, terms, CallbackHosts(()))
        )
        self.factory = PortListener(self._make_stream, terms, self.service.refusals.tell)

    def _make_stream(self, connection: Connection, host: str) -> NativeServer:
        return NativeServer(self.service, connection, host, self.limits, compress=self.compress)

    def _authenticate(self, credentials: Credentials | None, host: str) -> Deferred[None]:
        """``secret`` is everybody's password; with :attr:`checking` set, checks take until they are fired."""
        if credentials is None:
            return fail(BrokerError(Code.USER_AUTHENTICATION_ILLEGAL_ARGUMENT, "who are you?"))
        if credentials.password != "secret":
            return fail(BrokerError(Code.USER_ACCESS_DENIED, "wrong"))
        if self.checking is not None:
            check: Deferred[None] = Deferred()
            self.checking.append(check)
            return check
        return succeed(None)

    def peer(self, host: str = "127.0.0.1") -> Peer:
        """A new connection."""
        protocol = self.factory.buildProtocol(IPv4Address("TCP", host, 40000))
        assert isinstance(protocol, Connection)
        return Peer(self, protocol)

    def refuses(self, host: str = "127.0.0.1") -> bool:
        """Whether a new connection is not taken."""
        return self.factory.buildProtocol(IPv4Address("TCP", host, 40000)) is None

    def client(self, name: str, extra: str = "", *, callback: str = "<callback type='SOCKET' retries='-1'/>") -> Peer:
        """A new connection that has logged in."""
        peer = self.peer()
        peer.connect(name, extra, callback=callback)
        return peer

    @property
    def is_clean(self) -> bool:
        """Whether nothing of any client is left."""
        node = self.world.node
        return not (
            self.factory.connections
            or self.factory.admission.strangers
            or node.sessions
            or node.subjects
            or node.queues
            or self.world.timers
        )


class Peer:
    """One connection as its client sees it."""

    def __init__(self, listener: Listener, protocol: Connection) -> None:
        self.listener = listener
        self.protocol = protocol
        self.transport = Transport(peerAddress=IPv4Address("TCP", "127.0.0.1", 40000))
        self.secret = b""
        self._reader = FrameReader(1 << 30)
        self._inflate = ZlibStreamReader(1 << 26) if listener.compress else None
        self._deflate = ZlibStreamWriter() if listener.compress else None
        self._frames: list[Frame] = []
        self._last = 0
        protocol.makeConnection(self.transport)

    @property
    def stream(self) -> NativeServer:
        """What is spoken over it."""
        stream = self.protocol.stream
        assert isinstance(stream, NativeServer)
        return stream

    @property
    def closed(self) -> bool:
        """Whether the broker has let go of the connection."""
        return self.transport.disconnecting

    @property
    def paused(self) -> bool:
        """Whether the broker reads nothing more."""
        return self.transport.producerState == "paused"

    def write(self, data: bytes) -> None:
        """Send bytes, and let the broker turn."""
        self.protocol.dataReceived(data if self._deflate is None else self._deflate.write(data))
        self.listener.world.turn()

    def frames(self) -> list[Frame]:
        """What the broker has sent since the last look."""
        data = self.transport.value()
        self.transport.clear()
        if data:
            self._frames += self._reader.feed(data if self._inflate is None else self._inflate.feed(data))
        frames, self._frames = self._frames, []
        return frames

    def request(self, method: str, *units: Unit, session: bytes | None = None) -> bytes:
        """Send a request; returns its id."""
        self._last += 1
        request_id = b"r%d" % self._last
        secret = self.secret if session is None else session
        self.write(encode_frame(Kind.INVOKE, request_id, method.encode(), secret, encode_units(units)))
        return request_id

    def call(self, method: str, *units: Unit, session: bytes | None = None) -> list[Unit]:
        """Send a request and get its answer.

        Raises:
            BrokerError: the answer is an exception.
            AssertionError: there is no answer.
        """
        request_id = self.request(method, *units, session=session)
        return self.answer(request_id)

    def answer(self, request_id: bytes) -> list[Unit]:
        """The units of the answer to a request, or the exception that it is; other frames stay to be looked at."""
        frame = self.answer_frame(request_id)
        if frame.kind is Kind.EXCEPTION:
            raise decode_exception(frame)
        return frame.units()

    def answer_frame(self, request_id: bytes) -> Frame:
        """The frame that answers a request; others stay to be looked at."""
        frames = self.frames()
        for frame in frames:
            if frame.kind is not Kind.INVOKE and frame.request_id == request_id:
                self._frames = [each for each in frames if each is not frame]
                return frame
        self._frames = frames
        raise AssertionError("there is no answer")

    def connect(self, name: str, extra: str = "", *, password: str = "secret", callback: str = "") -> Any:
        """Log in."""
        user = name.partition("/")[0]
        queue = f"<queue relating='callback'>{callback}</queue>" if callback else ""
        qos = (
            f"<qos><securityService type='htpasswd' version='1.0'><user>{user}</user><passwd>{password}</passwd>"
            f"</securityService><session name='{name}'/>{queue}{extra}</qos>"
        )
        (unit,) = self.call("connect", Unit(qos.encode()))
        answer = read_connect_qos(unit.qos)
        self.secret = answer.session.secret_id.encode()
        self.listener.world.advance(0.02)
        return answer

    def updates(self, *, answer: bool = True) -> list[Unit]:
        """Units of the updates that came, each acknowledged unless ``answer`` is false."""
        found: list[Unit] = []
        while True:
            invokes = [frame for frame in self.frames() if frame.kind is Kind.INVOKE]
            if not invokes:
                return found
            for frame in invokes:
                units = frame.units()
                found += units if frame.method.startswith(b"update") else []
                if answer and frame.method == b"update":
                    self.write(encode_frame(Kind.RESPONSE, frame.request_id, b"update", self.secret, OK * len(units)))

    def hang_up(self) -> None:
        """Close the connection."""
        self.protocol.connectionLost(Failure(ConnectionLost()))
        self.listener.world.turn()
