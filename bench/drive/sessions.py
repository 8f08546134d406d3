"""Loads of many sessions: logging in, being idle, resuming."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bench.drive.channel import hear, tell
from bench.drive.crowd import Crowd, gather, source
from bench.drive.latency import summary
from bench.drive.load import Load
from bench.drive.loop import DriveError, Link, Loop, Script, TlsLink, connect, connect_for_tls
from bench.drive.native_wire import connect_qos, log_in
from bench.drive.scram import authenticate_scram
from bench.drive.tls import client_context, start_tls
from bench.drive.xmpp import swallow
from bench.drive.xmpp_wire import (
    FEATURES,
    HEADER,
    Managed,
    authenticate_plain,
    bind,
    enable,
    resume,
)
from bench.procfs import Usage, rss_bytes

PASSWORD = "secret"
_KIB = 1024
_REST = 2.0
_WARM = 20


@dataclass(frozen=True, slots=True)
class SessionsLoad(Load):
    """Clients that log in and stay.

    Args:
        protocol: that they speak.
        clients: how many.
        accounts: their names are taken from so many in turn.
        at_once: clients that log in at a time.
        tls: whether they start TLS.
        scram: whether they log in by SCRAM-SHA-1, and not with the password itself.
        available: whether they tell that they are.
        more_ports: that clients take in turn, beside the first.
    """

    protocol: Literal["native", "xmpp"]
    clients: int = 1000
    accounts: int = 20
    at_once: int = 50
    tls: bool = False
    scram: bool = False
    available: bool = False
    more_ports: Sequence[int] = ()

    def run(self) -> dict[str, float]:
        """Rate and milliseconds of logins, and memory of each session."""
        loop = Loop()
        self._gather(loop, range(_WARM))
        before = rss_bytes(self.watch)
        usage = Usage.now(self.watch)
        crowd = self._gather(loop, range(_WARM, _WARM + self.clients))
        shares = usage.shares(Usage.now(self.watch))
        loop.run_for(_REST)
        after = rss_bytes(self.watch)
        return {
            "logins_per_s": self.clients / crowd.seconds,
            **summary(crowd.times, "login"),
            "rss_before_mib": before / _KIB / _KIB,
            "rss_after_mib": after / _KIB / _KIB,
            "kib_of_session": (after - before) / _KIB / self.clients,
            "retries": crowd.retries,
            **shares,
        }

    def _gather(self, loop: Loop, numbers: range) -> Crowd[None]:
        context = client_context()
        ports = (self.port, *self.more_ports)

        def begin(number: int) -> tuple[Link, Script[None]]:
            number += numbers.start
            user = f"user{number % self.accounts}"
            if self.protocol == "native":
                link = connect(loop, self.host, self.port, source(number))
                return link, self._native(link, user)
            tls = connect_for_tls(loop, self.host, ports[number % len(ports)], source(number))
            return tls, self._xmpp(tls, context, user, f"r{number}")

        return gather(loop, len(numbers), self.at_once, begin, _ignore)

    def _native(self, link: Link, user: str) -> Script[None]:
        yield from log_in(link, connect_qos(user, PASSWORD))

    def _xmpp(self, link: TlsLink, context: ssl.SSLContext, user: str, resource: str) -> Script[None]:
        if self.tls:
            yield from start_tls(link, context)
        else:
            link.send(HEADER)
        yield FEATURES
        yield from (authenticate_scram if self.scram else authenticate_plain)(link, user, PASSWORD)
        yield from bind(link, resource)
        if self.available:
            link.send(b"<presence/>")


@dataclass(slots=True)
class Resumable:
    """Who comes back."""

    number: int
    stream: bytes
    managed: Managed


@dataclass(frozen=True, slots=True)
class ResumeLoad(Load):
    """Clients with resumable streams, whose server is killed; when it is back they all resume at once.

    Args:
        clients: how many.
        accounts: their names are taken from so many in turn.
        at_once: clients that log in at a time before.
        scram: whether they log in by SCRAM-SHA-1.
        available: whether they tell that they are.
    """

    clients: int = 10_000
    accounts: int = 10_000
    at_once: int = 50
    scram: bool = False
    available: bool = False

    def run(self) -> dict[str, float]:
        """Seconds and milliseconds until they are back."""
        loop = Loop()
        crowd = gather(loop, self.clients, self.at_once, lambda number: self._first(loop, number), _count)
        loop.run_for(_REST)
        for link, _ in crowd.members:
            link.close()
        clients = [value for _, value in crowd.members]
        tell(event="joined")
        watch = hear()["watch"]
        usage = Usage.now(watch)
        again = gather(loop, self.clients, self.clients, lambda number: self._again(loop, clients[number]), _ignore)
        shares = usage.shares(Usage.now(watch))
        return {"resumed_all_s": again.seconds, **summary(again.since, "resumed"), "retries": again.retries, **shares}

    def _first(self, loop: Loop, number: int) -> tuple[Link, Script[Resumable]]:
        link = connect(loop, self.host, self.port, source(number))

        def script() -> Script[Resumable]:
            yield from self._authenticate(link, number)
            yield from bind(link, f"r{number}")
            answer = yield from enable(link)
            if self.available:
                link.send(b"<presence/>")
            return Resumable(number, attribute(answer, b"id"), Managed(link, on=True))

        return link, script()

    def _again(self, loop: Loop, client: Resumable) -> tuple[Link, Script[None]]:
        link = connect(loop, self.host, self.port, source(client.number))

        def script() -> Script[None]:
            yield from self._authenticate(link, client.number)
            yield from resume(link, client.stream, client.managed.handled)

        return link, script()

    def _authenticate(self, link: Link, number: int) -> Script[None]:
        link.send(HEADER)
        yield FEATURES
        user = f"user{number % self.accounts}"
        yield from (authenticate_scram if self.scram else authenticate_plain)(link, user, PASSWORD)


def attribute(element: bytes, name: bytes) -> bytes:
    """Value of an attribute of an element."""
    for quote in (b"'", b'"'):
        mark = b" " + name + b"=" + quote
        if mark in element:
            return element.partition(mark)[2].partition(quote)[0]
    raise DriveError(f"no {name.decode()} in {element!r}")


def _ignore(link: Link, value: None) -> None:
    link.on_data = lambda data: None


def _count(link: Link, value: Resumable) -> None:
    link.on_data = swallow(value.managed)
