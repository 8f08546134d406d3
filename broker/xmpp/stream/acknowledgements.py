"""Acknowledgements that the peer is asked for, and those that it is given (XEP-0198 §4)."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from broker.failpoints import reach
from broker.ports import IStore
from broker.timers import cancel
from broker.xmpp.session.dispatch import StreamDispatch
from broker.xmpp.wire import sm


class Acknowledgements:
    """Asks when a burst is over, and gives a peer up that does not answer; tells what is handled after its commit.

    Args:
        clock: measures how long an answer takes.
        timeout: seconds that it may take (spec xmpp §1.6).
        policy: when to ask.
        give_up: called when an answer does not come.
    """

    __slots__ = ("_asked", "_clock", "_give_up", "_policy", "_timeout", "_timer")

    def __init__(self, clock: IReactorTime, timeout: int, policy: sm.AckPolicy, give_up: Callable[[], None]) -> None:
        self._clock = clock
        self._timeout = timeout
        self._policy = policy
        self._give_up = give_up
        self._asked = 0.0
        self._timer: IDelayedCall | None = None

    def after_sending(self, stanzas: int, size: int, *, full: bool) -> bytes:
        """What goes out behind stanzas: a question how many have come, or nothing.

        Args:
            stanzas: how many.
            size: in bytes.
            full: no more may be sent before some are acknowledged.
        """
        return self._question() if self._policy.sent(stanzas, size, full=full) else b""

    def answered(self) -> bytes:
        """The peer has told how many have come; returns another question, or nothing."""
        return self._question() if self._policy.answered() else b""

    def stop(self) -> None:
        """Wait for no answer."""
        timer, self._timer = self._timer, None
        cancel(timer)

    def _question(self) -> bytes:
        self._asked = self._clock.seconds()
        if self._timer is None:
            self._timer = self._clock.callLater(self._timeout, self._check)
        return sm.REQUEST

    def _check(self) -> None:
        """An acknowledgement that does not come tells of a connection that is dead."""
        self._timer = None
        if not self._policy.outstanding:
            return
        waited = self._clock.seconds() - self._asked
        if waited >= self._timeout:
            self._give_up()
        else:
            self._timer = self._clock.callLater(self._timeout - waited, self._check)


def acknowledge(dispatch: StreamDispatch, store: IStore, write: Callable[[bytes], None]) -> None:
    """Tell how many stanzas were handled, once their effects are on disk (I1).

    Args:
        dispatch: of the session, with stream management on.
        store: of the effects.
        write: takes the acknowledgement then.
    """
    dispatch.save_handled()
    answer = sm.ack(dispatch.handled)

    def tell() -> None:
        reach("answer due")
        write(answer)

    store.when_committed(store.position, tell)


def committed(store: IStore) -> Deferred[None]:
    """Fires when everything that was done so far is on disk."""
    waiting: Deferred[None] = Deferred()
    store.when_committed(store.position, lambda: waiting.callback(None))
    return waiting
