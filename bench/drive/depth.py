"""Loads that leave much behind: one deep queue, and a great many sessions."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bench.drive.absent import drain
from bench.drive.channel import hear, tell
from bench.drive.crowd import gather, source
from bench.drive.lane import Lane, content_of, transfer
from bench.drive.load import Load
from bench.drive.loop import DriveError, Link, Loop, Script, connect, talk
from bench.drive.native import OID, PASSWORD, NativeLoad
from bench.drive.native_wire import (
    NativeReceiver,
    NativeSender,
    connect_qos,
    log_in,
    to_session,
    unit,
)
from bench.procfs import peak_rss_bytes, rss_bytes

_MIB = 1 << 20
_STEPS = 10
_ARRAY = 50


@dataclass(frozen=True, slots=True)
class DeepQueue(NativeLoad):
    """A great many messages to one session that is away, and back."""

    messages: int = 1_000_000

    def run(self) -> dict[str, float]:
        """Rate and memory of every tenth, then of draining.

        The machine may be another one after a minute, so right after the last tenth as much goes to an empty queue.
        """
        loop = Loop()
        self.leave(loop)
        lane = self.lane(loop, [])
        figures = {"rss_start_mib": rss_bytes(self.watch) / _MIB}
        for step in range(1, _STEPS + 1):
            goal = self.messages * step // _STEPS
            before = lane.sent
            rates = transfer(loop, lane, goal, self.watch)
            figures[f"rate_{step}_per_s"] = rates["published_per_s"] * (lane.sent - before) / goal
            figures[f"rss_{step}_mib"] = rss_bytes(self.watch) / _MIB
        figures["rate_empty_per_s"] = self._fill_another(loop)
        figures["filled_peak_mib"] = peak_rss_bytes(self.watch) / _MIB
        figures |= drain(loop, lane.sent, lambda: self.come_back(loop), self.watch)
        last = figures[f"rate_{_STEPS}_per_s"]
        figures["last_to_first"] = last / figures["rate_1_per_s"]
        figures["last_to_empty"] = last / figures["rate_empty_per_s"]
        figures["peak_mib"] = peak_rss_bytes(self.watch) / _MIB
        return figures

    def _fill_another(self, loop: Loop) -> float:
        other = replace(self, session=2)
        other.leave(loop)
        return transfer(loop, other.lane(loop, []), self.messages // _STEPS, self.watch)["published_per_s"]


@dataclass(frozen=True, slots=True)
class Population(Load):
    """Persistent sessions that are away, with messages for each of them; the broker is killed, and some come back.

    Args:
        sessions: each of a login name of its own.
        messages: in all.
        at_once: clients that log in at a time.
        checked: sessions that come back in the end.
        window: messages on their way.
    """

    sessions: int = 100_000
    messages: int = 1_000_000
    at_once: int = 100
    checked: int = 100
    window: int = 1000

    def run(self) -> dict[str, float]:
        """Rates of building, memory; that nothing is missing is looked at in the end."""
        loop = Loop()
        crowd = gather(loop, self.sessions, self.at_once, lambda number: self._begin(loop, number), _leave)
        connected = rss_bytes(self.watch) / _MIB
        rounds = max(1, self.messages // self.sessions)
        lane = self._lane(loop)
        filled = transfer(loop, lane, rounds * self.sessions, self.watch)
        rss = rss_bytes(self.watch) / _MIB
        lane.sender.link.close()
        tell(event="built")
        self._check(hear()["port"], rounds)
        return {
            "sessions_per_s": self.sessions / crowd.seconds,
            "queued_per_s": filled["published_per_s"],
            "rss_sessions_mib": connected,
            "rss_built_mib": rss,
        }

    def _begin(self, loop: Loop, number: int) -> tuple[Link, Script[None]]:
        link = connect(loop, self.host, self.port, source(number))

        def script() -> Script[None]:
            yield from log_in(link, connect_qos(f"u{number}", PASSWORD, number=1, persistent=True))

        return link, script()

    def _lane(self, loop: Loop) -> Lane:
        link = connect(loop, self.host, self.port)
        session, _ = talk(link, log_in(link, connect_qos("sender", PASSWORD)))
        key, content = b"<key oid='%s'/>" % OID, content_of(100)
        units = [
            unit(b"<qos><persistent/>" + to_session(f"u{number}/1") + b"</qos>", key, content)
            for number in range(self.sessions)
        ]
        bodies = [b"".join(units[start : start + _ARRAY]) for start in range(0, len(units), _ARRAY)]
        if len(units) % _ARRAY:
            raise DriveError(f"the number of sessions must be a multiple of {_ARRAY}")
        return Lane(NativeSender.of_bodies(link, session, bodies, array=_ARRAY), [], self.window)

    def _check(self, port: int, expected: int) -> None:
        loop = Loop()
        for number in range(0, self.sessions, max(1, self.sessions // self.checked)):
            link = connect(loop, self.host, port)
            qos = connect_qos(f"u{number}", PASSWORD, number=1, persistent=True, bulk=100)
            session, rest = talk(link, log_in(link, qos))
            receiver = NativeReceiver(link, session, rest)
            loop.run(lambda receiver=receiver: receiver.got >= expected)  # type: ignore[misc]
            if receiver.got != expected:
                raise DriveError(f"session {number} got {receiver.got} messages and not {expected}")
            link.close()


def _leave(link: Link, value: None) -> None:
    link.close()
