"""A link to a connection manager that speaks frames (manager-links.md)."""

from __future__ import annotations

from collections import OrderedDict
from typing import Protocol

from twisted.logger import Logger

from broker.errors import BrokerError
from broker.failpoints import ARMED, reach
from broker.logs.limit import lines
from broker.model.jid import parse_jid
from broker.net.silence import Silence
from broker.xmpp.managers.channel import Channel
from broker.xmpp.managers.manager_process import MAX_INSTANCE, FramedSessions, ManagerProcess
from broker.xmpp.wire.frame_values import (
    DRAIN,
    ERROR,
    REFUSED,
    SHUTDOWN,
    VERSION,
    BrokerHello,
    Closed,
    Goodbye,
    ManagerHello,
    Open,
    Secured,
)
from broker.xmpp.wire.frames import FROM_MANAGER, Frame, FrameError, FrameReader, Type, encode

log = Logger()

MIN_INSTANCE = 16
_warn = lines(log.warn)


class Carrier(Protocol):
    """The connection of a link, as :class:`broker.net.transport.Connection` is one."""

    def write(self, data: bytes) -> None:
        """Send bytes."""

    def close(self) -> None:
        """Send what was written, then close."""

    def abort(self) -> None:
        """Close now."""


class FrameLink:
    """One link, from its frames on; a :class:`broker.net.stream.Stream` for what comes over its connection.

    Args:
        sessions: of all managers.
        carrier: its connection.
        name: of the manager.
        peer: address and port of the manager, for the log.

    Attributes:
        writable: whether its connection has room.
    """

    def __init__(self, sessions: FramedSessions, carrier: Carrier, name: str, peer: str) -> None:
        self.writable = True
        self._sessions = sessions
        self._settings = sessions.settings
        self._carrier = carrier
        self._name = name
        self._peer = peer
        self._reader = FrameReader(FROM_MANAGER)
        self._process: ManagerProcess | None = None
        self._over = False  # nothing more is taken or sent
        self._drained = False
        self._leaving: set[Channel] | None = None
        self._waiting: OrderedDict[Channel, None] = OrderedDict()
        self._heard = self._settings.clock.seconds()
        self._silence = Silence(
            self._settings.clock, self._settings.idle, lambda: self._heard, self._ask_for_life, self._give_up
        )

    @property
    def is_open(self) -> bool:
        """Whether sessions may be on it."""
        return not self._over

    @property
    def peer(self) -> str:
        """Address and port of the manager, for the log."""
        return self._peer

    def connected(self) -> None:
        """Frames begin, with the manager's HELLO."""
        self._silence.watch()

    def secured(self) -> None:
        """See :class:`broker.net.stream.Stream`; no handshake begins here."""

    def received(self, data: bytes) -> None:
        """Bytes have come."""
        if self._over:
            return
        self._heard = self._settings.clock.seconds()
        try:
            self._read(data)
            if ARMED:
                reach("frames of a manager received")
        except FrameError as error:
            log.warn(
                "{peer}: connection manager {name} is cut off: {error}", peer=self._peer, name=self._name, error=error
            )
            self._say_goodbye(ERROR, str(error))

    def turn(self) -> None:
        """See :class:`broker.net.stream.Stream`: sessions have turns of their own."""

    def set_writable(self, writable: bool) -> None:
        """The connection's buffer is full, or has room again."""
        self.writable = writable
        waiting = self._waiting
        while waiting and self.writable:
            channel, _ = waiting.popitem(last=False)
            if channel.link is self:
                channel.send()

    def shut_down(self) -> None:
        """The listener closes: sessions acknowledge what they have handled, and go on with the next server."""
        process = self._process
        if self._over or self._leaving is not None:
            return
        channels = [] if process is None else [each for each in process.channels.values() if each.link is self]
        self._leaving = set(channels)
        for channel in channels:
            channel.leave()
        self._leave_if_all_left()

    def lost(self, reason: str) -> None:
        """The connection is gone."""
        self._over = True
        self._silence.stop()
        process, self._process = self._process, None
        if process is not None:
            log.info("{peer}: the link of connection manager {name} is gone", peer=self._peer, name=self._name)
            process.lost(self, reason=reason, drained=self._drained or self._leaving is not None)

    # What sessions say

    def write(self, frame: bytes) -> None:
        """Send a frame."""
        if not self._over:
            self._carrier.write(frame)

    def wait(self, channel: Channel) -> None:
        """A session has more to send: it is told when there is room."""
        self._waiting[channel] = None

    def left(self, channel: Channel) -> None:
        """A session that was to leave has."""
        if self._leaving is not None:
            self._leaving.discard(channel)
            self._leave_if_all_left()

    # Frames

    def _read(self, data: bytes) -> None:
        reader = self._reader
        for frame in reader.feed(data):
            if self._over:
                return
            self._handle(frame)
        if reader.error is not None:
            raise reader.error

    def _handle(self, frame: Frame) -> None:
        process, type, number = self._process, frame.type, frame.session
        if process is None:
            if type is not Type.HELLO:
                raise FrameError(f"{type.name} before HELLO")
            self._begin(ManagerHello.read(frame.payload))
            return
        match type:
            case Type.PING:
                self.write(encode(Type.PONG, payload=frame.payload))
                return
            case Type.PONG:
                return
            case Type.HELLO:
                raise FrameError("a second HELLO")
            case Type.GOODBYE:
                self._manager_leaves(Goodbye.read(frame.payload))
                return
            case Type.OPEN:
                if self._leaving is None:
                    process.open(self, number, Open.read(frame.payload))
                return
            case Type.ATTACH:
                if not process.attach(self, number, frame.offset):
                    self.write(encode(Type.UNKNOWN, number))
                return
        channel = process.channels.get(number)
        if channel is None:  # it is over, which the manager need not know yet
            if type is Type.CLOSED:
                self.write(encode(Type.UNKNOWN, number))
            return
        if channel.link is not self:  # it has moved to another one, and what was not taken comes again there
            return
        match type:
            case Type.DATA:
                channel.received(frame.offset, frame.data)
            case Type.ACK:
                channel.acknowledged(frame.offset)
            case Type.SECURED:
                channel.secured(Secured.read(frame.payload))
            case Type.CLOSED:
                channel.ended(Closed.read(frame.payload).reason)

    def _begin(self, hello: ManagerHello) -> None:
        if hello.version != VERSION:
            raise FrameError(f"version {hello.version} is not spoken here")
        if not MIN_INSTANCE <= len(hello.instance) <= MAX_INSTANCE:
            raise FrameError(f"an instance is named with {MIN_INSTANCE} to {MAX_INSTANCE} characters")
        if hello.domain and not self._serves(hello.domain):
            self._refuse(hello.domain)
            return
        process = self._process = self._sessions.join(self, self._name, hello.instance)
        log.info("{peer}: connection manager {name} speaks frames", peer=self._peer, name=self._name)
        others = process.others
        if others:
            self._tell_of(others)
        settings = self._settings
        answer = BrokerHello(
            self._sessions.run,
            settings.window,
            settings.limits.max_connections,
            max(settings.idle, 0),
            len(others),
        )
        self._carrier.write(encode(Type.HELLO, payload=answer.encode()))

    def _serves(self, domain: str) -> bool:
        try:
            return parse_jid(domain).domain == self._settings.service.settings.domain
        except BrokerError:
            return False

    def _refuse(self, domain: str) -> None:
        """The manager serves another domain: no client could log in through it."""
        own = self._settings.service.settings.domain
        self._settings.service.refusals.tell(
            f"{self._name} domain",
            lambda: (
                f"{self._peer}: the connection manager {self._name} is refused: its xmpp.domain is {domain}, and that"
                f" of the broker {own}"
            ),
            _warn,
        )
        self._say_goodbye(REFUSED, f"the broker serves {own}, and this manager {domain}: set its xmpp.domain to {own}")

    def _tell_of(self, others: list[ManagerProcess]) -> None:
        """Several processes have one name, which looks like a mistake; clients of each are served all the same."""
        peers = ", ".join(sorted({each.peer for other in others for each in other.links if each.is_open}))
        self._settings.service.refusals.tell(
            f"{self._name} others",
            lambda: (
                f"{self._peer}: another process is linked as the connection manager {self._name}, from {peers}: each"
                " needs a name of its own, as its limits, secret and lines in the log go by that"
            ),
            _warn,
        )

    def _manager_leaves(self, goodbye: Goodbye) -> None:
        log.info(
            "{peer}: connection manager {name} leaves: {reason} {text}",
            peer=self._peer,
            name=self._name,
            reason=goodbye.reason,
            text=goodbye.text,
        )
        self._drained = goodbye.reason == DRAIN
        self._over = True
        self._carrier.close()

    # The end

    def _leave_if_all_left(self) -> None:
        if not self._leaving:
            self._say_goodbye(SHUTDOWN, "the server stops")

    def _say_goodbye(self, reason: str, text: str) -> None:
        if not self._over:
            self._carrier.write(encode(Type.GOODBYE, payload=Goodbye(reason, text).encode()))
            self._over = True
            self._carrier.close()

    def _ask_for_life(self) -> None:
        if self._process is not None:
            self._carrier.write(encode(Type.PING))

    def _give_up(self) -> None:
        log.warn("{peer}: connection manager {name} is silent", peer=self._peer, name=self._name)
        self._over = True
        self._carrier.abort()
