"""Attacks on XMPP."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from functools import partial
from itertools import repeat

from broker.xmpp.wire import ns
from tests.campaign.attack import (
    Attack,
    NotRefused,
    Stage,
    closed,
    open_after,
    pour,
    shut,
    stream_error,
    stuff,
)
from tests.campaign.native_attacks import LAUGHS, MEGABYTE, drip, say_nothing, storm
from tests.campaign.talkers import HEADER, Ended, Line

HEADER_SECONDS = 10
"""Until a stream header must have come."""
HANDSHAKE_SECONDS = 15
BEFORE_HEADER = {
    "billion laughs": (b"<?xml version='1.0'?><!DOCTYPE s [" + LAUGHS + b"]>" + HEADER, ("restricted-xml",)),
    "UTF-16": (HEADER.decode().encode("utf-16"), ("unsupported-encoding", "not-well-formed")),
    "other encoding": (b"<?xml version='1.0' encoding='utf-7'?>" + HEADER, ("unsupported-encoding",)),
    "garbage": (b"\x16\x03\x01\x02\x00\x01\x00>>>>", ("not-well-formed", "unsupported-encoding", "bad-format")),
}
STANZAS = {
    "entity": (b"<message><body>&lol;</body></message>", ("restricted-xml",)),
    "comment": (b"<message><!-- x --></message>", ("restricted-xml",)),
    "instruction": (b"<?x y?>", ("restricted-xml",)),
    "document type": (b"<!DOCTYPE x>", ("not-well-formed", "restricted-xml")),
    "invalid UTF-8": (b"<message><body>\xc3\x28\xff</body></message>", ("not-well-formed", "unsupported-encoding")),
    "zero byte": (b"<message><body>\0</body></message>", ("not-well-formed",)),
    "deep nesting": (b"<a>" * 10_000, ("policy-violation",)),
    "many attributes": (b"<a" + b"".join(b" a%d=''" % n for n in range(2000)) + b"/>", ("policy-violation",)),
    "wrong nesting": (b"<message></iq>", ("not-well-formed",)),
    "stray text": (b"hello <message/>", ("bad-format",)),
    "other namespace": (b"<message xmlns='urn:x'/>", ("invalid-namespace", "unsupported-stanza-type")),
}


def documents(stage: Stage) -> str:
    """Every hostile document instead of a header, and every stanza before the login and after it."""
    conditions = set()
    for _ in range(stage.count(10)):
        for data, expected in BEFORE_HEADER.values():
            with stage.xmpp() as talker:
                talker.write(data)
                conditions.add(stream_error(closed(talker), *expected))
        for make in (opened, bound):
            for data, expected in STANZAS.values():
                with make(stage) as talker:
                    talker.write(data)
                    conditions.add(stream_error(closed(talker), *expected))
    return ", ".join(sorted(conditions))


def opened(stage: Stage) -> Line:
    """A stream without a login."""
    talker = stage.xmpp()
    talker.open()
    return talker


def bound(stage: Stage) -> Line:
    """A stream with a login."""
    return stage.xmpp_client()


def endless(start: bytes, more: bytes) -> Callable[[Stage], str]:
    """Something that never ends, before the login and after it."""

    def attack(stage: Stage) -> str:
        for make, limit in ((opened, 10 << 10), (bound, MEGABYTE)):
            for _ in range(stage.count(10)):
                with make(stage) as talker:
                    talker.write(start)
                    sent = pour(talker, repeat(more * 100))
                    if sent < limit // 2:
                        raise NotRefused(f"refused after {sent} bytes, {limit} are allowed")
                    stream_error(closed(talker), "policy-violation")
        return "policy-violation"

    return attack


EARLY = (
    b"<message to='joe@localhost'/>",
    b"<iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq>",
    b"<unknown xmlns='urn:x'/>",
)
"""What may not come before the login."""


def wrong_order(stage: Stage) -> str:
    """What comes too early, or twice."""
    conditions = set()
    for data in EARLY:
        with opened(stage) as talker:
            talker.write(data)
            conditions.add(stream_error(closed(talker), "not-authorized", "unsupported-stanza-type"))
    with stage.xmpp() as talker:
        talker.open()
        talker.write(f"<resume xmlns='{ns.SM}' h='0' previd='x'/>".encode())
        conditions.add(talker.element("failed").name)
    with stage.xmpp_client() as talker:
        talker.write(b"<message from='joe@localhost/x' to='joe@localhost'/>")
        conditions.add(stream_error(closed(talker), "invalid-from"))
    with stage.xmpp_client() as talker:
        talker.write(f"<enable xmlns='{ns.SM}'/><a xmlns='{ns.SM}' h='99999'/>".encode())
        conditions.add(stream_error(closed(talker), "undefined-condition"))
    return ", ".join(sorted(conditions))


def oversize(stage: Stage) -> str:
    """Stanzas that are longer than they may be."""
    for make, size in ((opened, 11 << 10), (bound, MEGABYTE + 1)):
        with make(stage) as talker:
            talker.write(b"<message><body>" + b"x" * size + b"</body></message>")
            stream_error(closed(talker), "policy-violation")
    return "policy-violation"


def slow_loris(stage: Stage) -> str:
    """Connections that send their header byte by byte."""
    return drip(stage, "XMPP", HEADER + b" " * 500, HEADER_SECONDS + 5)


def silent(stage: Stage) -> str:
    """Thousands of connections that say nothing."""
    return say_nothing(stage, "XMPP", HEADER_SECONDS + 10)


def half_handshakes(stage: Stage) -> str:
    """TLS handshakes that are begun and left: on the port for TLS, and after STARTTLS."""
    hello = bytes.fromhex("160301020001000 1fc0303".replace(" ", "")) + bytes(100)
    lines: list[Line] = []
    began = time.monotonic()
    for _ in range(stage.count(300)):
        direct, started = stage.line("XMPP-TLS"), stage.xmpp()
        direct.write(hello)
        started.open()
        started.write(f"<starttls xmlns='{ns.TLS}'/>".encode())
        started.element("proceed")
        started.write(hello)
        lines += (direct, started)
    with stage.line("XMPP-TLS") as line:
        line.write(HEADER * 10)
        closed(line)
    left = open_after(lines, HANDSHAKE_SECONDS + 10)
    shut(lines)
    if left:
        raise NotRefused(f"{left} of {len(lines)} handshakes are still open")
    return f"closed in {time.monotonic() - began:.0f} s"


def never_reads(stage: Stage) -> str:
    """Requests without end, and nobody reads the answers."""
    with stage.xmpp_client() as talker:
        request = b"<iq type='get' id='x' to='localhost'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>"
        sent = stuff(talker, request * 500)
    return f"not read after {sent // 1024} kB"


def logins(stage: Stage) -> str:
    """Wrong passwords as fast as they can be sent."""
    return storm(stage, partial(_fail_to_log_in, stage))


def _fail_to_log_in(stage: Stage, number: int) -> None:
    with stage.xmpp() as talker:
        talker.open()
        for _ in range(3):
            talker.authenticate("attacker" if number % 2 else f"nobody{number}", f"guess{number}")
            try:
                talker.element("failure")
            except Ended:
                return


def resources(stage: Stage) -> str:
    """Logins without end of one account, none of which is ended."""
    lines = []
    token = base64.b64encode(b"\0attacker\0secret").decode()
    refusals = 0
    for number in range(stage.count(50)):
        talker = stage.xmpp()
        lines.append(talker)
        talker.open()
        talker.write(f"<auth xmlns='{ns.SASL}' mechanism='PLAIN'>{token}</auth>".encode())
        talker.element("success")
        talker.open()
        bind = f"<bind xmlns='{ns.BIND}'><resource>r{number}</resource></bind>"
        talker.write(f"<iq type='set' id='b'>{bind}</iq>".encode())
        refusals += talker.element("iq").attributes["type"] == "error"
    shut(lines)
    return f"{refusals} of {len(lines)} refused" if refusals or len(lines) < 20 else "all were let in"


def long_names(stage: Stage) -> str:
    """Addresses as long as they may be, each time another one, which nothing may keep."""
    with stage.xmpp_client() as talker:
        for number in range(stage.count(2000)):
            to = f"n{number}{'x' * 900}@{'b.' * 100}c/{'y' * 900}"
            talker.write(f"<message to='{to}' id='{number}'><body>x</body></message>".encode())
            error = talker.element("message")
            if error.attributes.get("type") != "error":
                raise NotRefused(f"a message to nobody is answered: {error}")
    return "error"


ATTACKS = (
    Attack("XMPP: hostile XML", documents),
    Attack("XMPP: endless element name", endless(b"<message><", b"n" * 64)),
    Attack("XMPP: endless attribute", endless(b"<message a='", b"x" * 64)),
    Attack("XMPP: endless namespaces", endless(b"<message>", b"<a xmlns:b='urn:c'/>")),
    Attack("XMPP: oversize stanzas", oversize),
    Attack("XMPP: wrong order", wrong_order),
    Attack("XMPP: ever new long addresses", long_names),
    Attack("XMPP: more resources than allowed", resources),
    Attack("XMPP: pipelines and never reads", never_reads),
    Attack("XMPP: slow loris", slow_loris, slow=True),
    Attack("XMPP: half handshakes of TLS", half_handshakes, slow=True),
    Attack("XMPP: thousands that say nothing", silent, slow=True),
    Attack("XMPP: login storm", logins),
)
