"""A link that speaks frames (manager-links.md)."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from broker.failpoints import ARMED, reach
from broker.manager.carrier import Unavailable
from broker.manager.client import Client
from broker.manager.frame_session import FrameSession
from broker.manager.links import Links, Session, Wire
from broker.manager.outgoing import OutOfStep
from broker.net.silence import Silence
from broker.timers import cancel
from broker.xml.stanza import StreamStart
from broker.xmpp.wire.frame_values import DRAIN, ERROR, REFUSED, VERSION, BrokerHello, Goodbye, ManagerHello
from broker.xmpp.wire.frames import (
    FROM_BROKER,
    Frame,
    FrameError,
    FrameReader,
    Type,
    encode,
    encode_data,
    encode_offset,
)

log = Logger()

SLICE = 32 * 1024
"""Bytes that one session sends before others have their turns."""


class FrameLink:
    """One link, from its frames on.

    Args:
        wire: its connection.
        instance: names this process.
        domain: that the manager serves.
        owner: of all links.
        clock: of its deadlines.

    Attributes:
        run: names the server's process.
        window: bytes that may be sent beyond those that are acknowledged, of each session.
        sessions: by number.
    """

    def __init__(self, wire: Wire, instance: str, domain: str, owner: Links, clock: IReactorTime) -> None:
        self.run = ""
        self.window = 0
        self.sessions: dict[int, FrameSession] = {}
        self._expected: set[FrameSession] = set()  # that will be on it, when their clients have answered
        self._wire = wire
        self._owner = owner
        self._clock = clock
        self._reader = FrameReader(FROM_BROKER)
        self._max_sessions = 0
        self._heard = clock.seconds()
        self._silence: Silence | None = None
        self._writable = True
        self._over = False
        self._waiting: OrderedDict[FrameSession, None] = OrderedDict()  # that have something to send
        self._acks: dict[int, int] = {}
        self._sending: IDelayedCall | None = None
        self._wire.write(encode(Type.HELLO, payload=ManagerHello(instance, domain).encode()))

    # What its connection says

    def received(self, data: bytes) -> None:
        """Bytes have come."""
        self._heard = self._clock.seconds()
        try:
            for frame in self._reader.feed(data):
                if self._over:
                    return
                self._handle(frame)
            if self._reader.error is not None:
                raise self._reader.error
        except (FrameError, OutOfStep) as error:
            self._break_off(str(error))
            return
        if ARMED:
            reach("frames of the server received")
        self._flush()

    def set_writable(self, writable: bool) -> None:
        """The connection has room, or its buffer is full."""
        self._writable = writable
        if writable:
            self._flush()

    def lost(self) -> None:
        """The connection is gone."""
        self._over = True
        if self._silence is not None:
            self._silence.stop()
        cancel(self._sending)
        self._owner.leaving(self)
        sessions, self.sessions = [*self.sessions.values(), *self._expected], {}
        self._expected = set()
        for session in sessions:
            session.link_lost()

    # What the manager says

    @property
    def load(self) -> int:
        """Sessions on it, and those that will be."""
        return len(self.sessions) + len(self._expected)

    def carry(self, client: Client, header: StreamStart) -> FrameSession:
        """Carry the stream of a client.

        Raises:
            Unavailable: the server takes no more.
        """
        if len(self.sessions) >= self._max_sessions:
            raise Unavailable("resource-constraint", "the server takes no more clients of this manager")
        return FrameSession(client, self._owner, self._clock, self)

    def adopt(self, session: Session) -> None:
        """A session that has lost its link may go on over this one."""
        if isinstance(session, FrameSession):
            session.attach(self)
        else:
            session.give_up("system-shutdown", "the server was replaced")

    def drain(self) -> None:
        """No session of this manager is attached again: say so, and close."""
        self._say_goodbye(DRAIN, "the manager stops")
        self._wire.close()

    # What sessions say

    def add(self, session: FrameSession) -> None:
        """A session is on this link, by its number."""
        self._expected.discard(session)
        self.sessions[session.number] = session

    def expect(self, session: FrameSession) -> None:
        """A session will be on this link, with a new number, when its client has answered."""
        self.remove(session)
        self._expected.add(session)

    def remove(self, session: FrameSession) -> None:
        """A session is not on this link any more."""
        self._expected.discard(session)
        self.sessions.pop(session.number, None)
        self._acks.pop(session.number, None)

    def send(self, type: Type, session: int, payload: bytes = b"") -> None:
        """Send a frame of a session."""
        if not self._over:
            self._wire.write(encode(type, session, payload))

    def offset(self, type: Type, session: int, offset: int) -> None:
        """Send a frame of a session that says an offset."""
        if not self._over:
            self._wire.write(encode_offset(type, session, offset))

    def data(self, session: int, offset: int, data: bytes) -> None:
        """Send what a client has sent."""
        if not self._over:
            self._wire.write(encode_data(session, offset, data))
            if ARMED:
                reach("data of a client sent")

    def acknowledge(self, session: int, offset: int) -> None:
        """Acknowledge soon what a client has taken."""
        self._acks[session] = offset
        self._send_soon()

    def schedule(self, session: FrameSession) -> None:
        """A session has something to send."""
        if session not in self._waiting:
            self._waiting[session] = None
            self._send_soon()

    # Frames

    def _handle(self, frame: Frame) -> None:
        if not self.run and frame.type not in (Type.HELLO, Type.GOODBYE):
            raise FrameError(f"{frame.type.name} before HELLO")
        match frame.type:
            case Type.HELLO:
                self._begin(BrokerHello.read(frame.payload))
            case Type.PING:
                self._wire.write(encode(Type.PONG, payload=frame.payload))
            case Type.PONG:
                pass
            case Type.GOODBYE:
                self._end(Goodbye.read(frame.payload))
            case _:
                session = self.sessions.get(frame.session)
                if session is not None:  # else it has ended, and the server does not know yet
                    session.frame(frame)

    def _begin(self, hello: BrokerHello) -> None:
        if self.run:
            raise FrameError("a second HELLO")
        if hello.version != VERSION or not hello.run or not hello.window:
            raise FrameError(f"the server speaks version {hello.version}")
        self.run = hello.run
        self.window = hello.window
        self._max_sessions = hello.sessions
        give_up = partial(self._give_up, hello.idle)
        self._silence = Silence(self._clock, hello.idle, lambda: self._heard, self._ask_for_life, give_up)
        self._silence.watch()
        if hello.others:
            self._owner.others_found(self._wire.server)
        log.info("a link to {server} is open, in frames", server=self._wire.server)
        self._owner.ready(self)

    def _ask_for_life(self) -> None:
        self._wire.write(encode(Type.PING))

    def _give_up(self, idle: int) -> None:
        log.warn("the link to {server} was silent for {idle} s", server=self._wire.server, idle=idle)
        self._over = True
        self._wire.abort()

    def _end(self, goodbye: Goodbye) -> None:
        if goodbye.reason == REFUSED:
            self._over = True
            self._owner.leaving(self)
            self._wire.refused(goodbye.text)
            return
        log.info(
            "{server} ends the link: {reason} {text}",
            server=self._wire.server,
            reason=goodbye.reason,
            text=goodbye.text,
        )
        self._over = True
        self._owner.leaving(self)
        self._wire.close()

    def _break_off(self, reason: str) -> None:
        log.error("{server} does not keep to the protocol: {reason}", server=self._wire.server, reason=reason)
        self._say_goodbye(ERROR, reason)
        self._wire.close()

    def _say_goodbye(self, reason: str, text: str) -> None:
        if not self._over:
            self._wire.write(encode(Type.GOODBYE, payload=Goodbye(reason, text).encode()))
            self._over = True

    # Sending

    def _send_soon(self) -> None:
        if self._sending is None and not self._over:
            self._sending = self._clock.callLater(0, self._flush)

    def _flush(self) -> None:
        cancel(self._sending)
        self._sending = None
        if self._over:
            return
        acks, self._acks = self._acks, {}
        if acks:
            self._wire.write(b"".join([encode_offset(Type.ACK, number, offset) for number, offset in acks.items()]))
        waiting = self._waiting
        while waiting and self._writable:
            session, _ = waiting.popitem(last=False)
            if session.link is self and session.send(SLICE):
                waiting[session] = None
