"""What attacks have in common: where they are, and how they tell that they were refused."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from broker.native.wire.frames import Frame, Kind
from broker.native.wire.methods import decode_exception
from tests.campaign.networks import Network
from tests.campaign.talkers import Address, Ended, Line, NativeTalker, Silent, XmppTalker
from tests.system.launcher import BrokerProcess

ATTACKER = "attacker"
COMPRESSED = "ZLIB"
"""Name of the native port that speaks ``zlib:stream``."""
IPV6 = "IPV6"
"""Name of the native port that listens on all addresses, where the attacker has a network of them."""
MAX_PENDING = 100
"""Connections of one address to that port that have not logged in."""
LARGEST_POURED = 512 << 20
STUCK = 2.0
"""Seconds in which no byte is taken."""
LOGIN_SECONDS = 5
"""Until a native connection must have logged in, in a campaign."""


class NotRefused(Exception):
    """An attacker got what it should not have got, or no clear answer."""


@dataclass
class Stage:
    """Where an attack takes place.

    Args:
        broker: under attack.
        source: address that the attacker comes from.
        scale: 1 for all of it, less for a part.
        network: of addresses, of which the attacker may have any.

    Attributes:
        peers: connections that the attacker has made.
        requests: of clients that had logged in, and were refused; each has its line in the log.
    """

    broker: BrokerProcess
    source: str
    scale: float
    network: Network | None = None
    peers: int = field(default=0, init=False)
    requests: int = field(default=0, init=False)

    def count(self, whole: int) -> int:
        """A number of connections or requests at this scale."""
        return max(1, round(whole * self.scale))

    def address(self, name: str) -> Address:
        """Of a port; noted as a connection of the attacker."""
        self.peers += 1
        return self.broker.address(name)

    def line(self, name: str) -> Line:
        """A connection without a word."""
        return Line(self.address(name), self.source)

    def stranger(self, number: int | None = None) -> NativeTalker:
        """A native connection from an address of the network, by default one that was not used before."""
        assert self.network is not None
        address = (self.network.server, self.address(IPV6)[1])
        return NativeTalker(address, connection=self.network.connect(address, number))

    def native(self, name: str = "SOCKET") -> NativeTalker:
        """A native connection that has not logged in."""
        return NativeTalker(self.address(name), self.source, compress=name == COMPRESSED)

    def native_client(self, session: str = f"{ATTACKER}/1", name: str = "SOCKET") -> NativeTalker:
        """A native client that has logged in."""
        talker = self.native(name)
        expect_response(talker.log_in(session), "the attacker cannot log in")
        return talker

    def native_client_of_network(self, session: str) -> NativeTalker:
        """A native client that has logged in from an address of the network, always the same."""
        talker = self.stranger(1)
        expect_response(talker.log_in(session), "the attacker cannot log in")
        return talker

    def xmpp(self) -> XmppTalker:
        """An XMPP connection without a word."""
        return XmppTalker(self.address("XMPP"), self.source)

    def xmpp_client(self, resource: str = "x") -> XmppTalker:
        """An XMPP client that is bound."""
        talker = self.xmpp()
        talker.log_in(ATTACKER, resource)
        return talker


@dataclass(frozen=True, slots=True)
class Attack:
    """An attack.

    Args:
        name: for people.
        run: does it, and returns in a few words how it was refused; raises :class:`NotRefused`.
        slow: its end is a time limit, so it takes as long as that at any scale.
        needs_network: the attacker has a network of addresses.
    """

    name: str
    run: Callable[[Stage], str]
    slow: bool = False
    needs_network: bool = False


def outcome(answer: Frame, accepted: str = "answered") -> str:
    """How something is answered, in a word: the code of an exception, or another word."""
    return str(decode_exception(answer).code) if answer.kind is Kind.EXCEPTION else accepted


def expect_response(answer: Frame, failure: str) -> None:
    """Something must work.

    Args:
        answer: to the request.
        failure: what is wrong where it is refused, for people.

    Raises:
        NotRefused: it is refused.
    """
    if answer.kind is not Kind.RESPONSE:
        raise NotRefused(f"{failure}: {decode_exception(answer)}")


def refused(answer: Frame, *codes: str) -> str:
    """The code of an exception, which must be one of these."""
    if answer.kind is not Kind.EXCEPTION:
        raise NotRefused(f"{answer.method.decode()} is answered: {answer.body[:200]!r}")
    error = decode_exception(answer)
    if error.code not in codes:
        raise NotRefused(f"refused with {error}, not {' or '.join(codes)}")
    return str(error.code)


def stream_error(words: bytes, *conditions: str) -> str:
    """The condition of the stream error in the last words of the service, which must be one of these."""
    for condition in conditions:
        if b"<stream:error><" + condition.encode() in words:
            return condition
    raise NotRefused(f"no stream error {' or '.join(conditions)}, but {words[-300:]!r}")


def closed(line: Line, patience: float = 20.0) -> bytes:
    """What comes until the other side closes, which it must do in time."""
    try:
        return line.last_words(patience)
    except Silent as silent:
        raise NotRefused(f"it is not closed in {patience:.0f} s") from silent


def pour(line: Line, pieces: Iterable[bytes], most: int = LARGEST_POURED, seconds: float = 20.0) -> int:
    """Write pieces until the other side says or closes something, or reads no more.

    Returns:
        Bytes that were taken.

    Raises:
        NotRefused: ``most`` bytes or all pieces were taken, and nothing was said.
    """
    sent = 0
    line.socket.settimeout(STUCK)
    deadline = time.monotonic() + seconds
    for piece in pieces:
        try:
            line.write(piece)
        except (Ended, Silent):
            return sent
        sent += len(piece)
        if select.select([line.socket], [], [], 0)[0]:
            return sent
        if sent > most or time.monotonic() > deadline:
            raise NotRefused(f"{sent} bytes are taken in {seconds:.0f} s at most, and nothing is said")
    raise NotRefused(f"all {sent} bytes are taken, and nothing is said")


def stuff(line: Line, piece: bytes, most: int = LARGEST_POURED) -> int:
    """Write the same again and again, and read nothing, until nothing more is taken; returns how many bytes were.

    Raises:
        NotRefused: ``most`` bytes were taken.
    """
    sent = 0
    line.socket.settimeout(STUCK)
    while sent <= most:
        try:
            line.write(piece)
        except (Ended, Silent):
            return sent
        sent += len(piece)
    raise NotRefused(f"{sent} bytes are taken, though no answer was read")


def open_after(lines: list[Line], seconds: float) -> int:
    """How many connections are still open after a time."""
    deadline = time.monotonic() + seconds
    left = lines
    while left and time.monotonic() < deadline:
        time.sleep(0.2)
        left = [line for line in left if not _is_closed(line)]
    return len(left)


def _is_closed(line: Line) -> bool:
    line.socket.setblocking(False)
    try:
        while line.socket.recv(1 << 16):
            pass
    except (BlockingIOError, InterruptedError):
        return False
    except OSError:
        return True
    finally:
        line.socket.setblocking(True)
    return True


def shut(lines: Iterable[Line]) -> None:
    """Close connections at once, as a flood does: with a reset."""
    for line in lines:
        line.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        line.close()
