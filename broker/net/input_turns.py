"""What comes over one connection is shown to its stream in turns, which the connections of an account share (D17)."""

from __future__ import annotations

from typing import Protocol

from broker.net.read_pauses import Held, Pause
from broker.net.store_pressure import StorePressure
from broker.net.turns import Share, Turns


class Carrier(Held, Protocol):
    """What brings the bytes, as :class:`broker.net.transport.Connection` does."""

    @property
    def host(self) -> str:
        """Address of the peer; empty where it is not known."""

    def abort(self) -> None:
        """Close now."""


class Receiver(Protocol):
    """What is shown the input, as a :class:`broker.net.stream.Stream` is."""

    def received(self, data: bytes) -> None:
        """Bytes have come."""

    def turn(self) -> None:
        """It may go on with what waits, as it asked for."""


class InputTurns:
    """Shows a stream what comes when it is its account's turn, which mostly is at once; until then it keeps that.

    Args:
        turns: that are shared out.
        carrier: brings the bytes; it is held while the stream has to wait, and aborted where a turn fails.
        stream: that they are for.

    Attributes:
        end: when the present turn is over, by the clock of the turns.
    """

    __slots__ = ("_asked", "_carrier", "_pressure", "_share", "_stream", "_turns", "_unseen", "end")

    def __init__(self, turns: Turns, carrier: Carrier, stream: Receiver) -> None:
        self._turns = turns
        self._carrier = carrier
        self._stream = stream
        self._share = Share()
        self._share.network = turns.network_of(carrier.host)
        self._pressure: StorePressure | None = None  # of a client that has logged in
        self._asked = False  # the stream has, for a turn
        self._unseen: list[bytes] = []  # what has come, and the stream sees in the next turn
        self.end = 0.0

    def received(self, data: bytes) -> None:
        """Bytes have come: the stream sees them now, or when it is the account's turn."""
        share = self._share
        if self._unseen or share.must_wait:
            self._unseen.append(data)
            self._carrier.hold(Pause.OTHERS_FIRST)
            self._turns.add(share, self._turn)
            return
        turns = self._turns
        self.end = turns.begin(share)
        self._stream.received(data)
        turns.end(share)
        pressure = self._pressure
        if pressure is not None and pressure.store.backlog > pressure.high:
            pressure.hold(self._carrier)

    def later(self, data: bytes) -> None:
        """Bytes have come before that could not be shown: the stream sees them in the account's next turn."""
        self._unseen.append(data)
        self._turns.add(self._share, self._turn)

    @property
    def has_unseen(self) -> bool:
        """Whether anything has come that the stream has not seen."""
        return bool(self._unseen)

    @property
    def is_over(self) -> bool:
        """Whether the stream has worked for so long that others should have their turn."""
        return self._turns.seconds() >= self.end

    def ask(self) -> None:
        """The stream has work left: see to it that its ``turn()`` is called when others have had theirs."""
        self._asked = True
        self._turns.add(self._share, self._turn)

    def logged_in(self, account: str, pressure: StorePressure | None) -> None:
        """From now on the connection takes turns with the others of its account.

        Args:
            account: whose connection it is.
            pressure: of the store that it may have to wait for.
        """
        self._share = self._turns.share_of(account)
        self._share.network = self._turns.network_of(self._carrier.host)
        self._pressure = pressure

    def carry(self) -> None:
        """What comes from now on is of others, who have turns of their own."""
        self._share = Share(carries=True)

    def drop(self) -> None:
        """The stream never sees what it has not seen."""
        self._unseen.clear()
        self._carrier.release(Pause.OTHERS_FIRST)

    def flush(self) -> None:
        """Show the stream at once what it has not seen: its connection ends."""
        data, self._unseen = b"".join(self._unseen), []
        if data:
            self._stream.received(data)

    def lost(self) -> None:
        """The connection is gone, and waits for the store no more."""
        pressure, self._pressure = self._pressure, None
        if pressure is not None:
            pressure.forget(self._carrier)

    def _turn(self) -> None:
        share = self._share
        self.end = self._turns.begin(share)
        try:
            if self._asked:
                self._asked = False
                self._stream.turn()
            if self._unseen:
                if self._asked or self.is_over:
                    self._turns.add(share, self._turn)
                else:
                    self._carrier.release(Pause.OTHERS_FIRST)
                    self.flush()
        except Exception:
            self._carrier.abort()  # as Twisted does where bytes cannot be received
            raise
        finally:
            self._turns.end(share)
        pressure = self._pressure
        if pressure is not None and pressure.store.backlog > pressure.high:
            pressure.hold(self._carrier)
