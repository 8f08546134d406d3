"""What hostile peers do to the native protocol over XML-RPC."""

from __future__ import annotations

from itertools import repeat

from tests.campaign.attack import Attack, NotRefused, Stage, pour
from tests.campaign.web_attacks import posted

MEGABYTE = 1 << 20
_LAUGHS = b"".join(b"<!ENTITY l%d '%b'>" % (n, b"&l%d;" % (n - 1) * 10) for n in range(1, 10))


def _call(params: bytes) -> bytes:
    return b"<methodCall><methodName>xmlBlaster.get</methodName><params>%b</params></methodCall>" % params


def _value(value: bytes) -> bytes:
    return _call(b"<param><value>%b</value></param>" % value)


CALLS = {
    "nothing": b"",
    "no XML": b"x" * 1000,
    "billion laughs": b"<!DOCTYPE a [<!ENTITY l0 'ha'>" + _LAUGHS + b"]>" + _value(b"&l9;"),
    "an external entity": b"<!DOCTYPE a [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>" + _value(b"&a;"),
    "a processing instruction": b"<?xml-stylesheet href='a'?>" + _value(b""),
    "deep nesting": _value(b"<array><data><value>" * 1000 + b"</value></data></array>" * 1000),
    "many members": _value(b"<struct>" + b"<member><name/><value/></member>" * 1500 + b"</struct>")[:-20],
    "bad base64": _value(b"<base64>" + b"=" * 50_000 + b"</base64>"),
    "a number without an end": _value(b"<i4>" + b"9" * 50_000 + b"</i4>")[:-20],
    "no session": _call(b"<param><value>nobody</value></param>" * 3),
}


def calls(stage: Stage) -> str:
    """Calls that are none, or nobody's."""
    for _ in range(stage.count(10)):
        for name, body in CALLS.items():
            with stage.line("XMLRPC") as line:
                answer = posted(line, body, b"/")
                if not answer.startswith(b"HTTP/1.1 200 ") or b"<fault>" not in answer:
                    raise NotRefused(f"{name}: {answer[:300]!r}")
    return "faults"


def long_calls(stage: Stage) -> str:
    """Calls that are much too long, with a length and without."""
    for _ in range(stage.count(10)):
        for head in (b"Content-Length: 100000000", b"Transfer-Encoding: chunked"):
            with stage.line("XMLRPC") as line:
                line.write(b"POST / HTTP/1.1\r\nHost: localhost\r\n" + head + b"\r\n\r\n")
                pour(line, repeat(b"10000\r\n" + b"x" * 0x10000 + b"\r\n"), 64 * MEGABYTE)
    return "413"


ATTACKS = (Attack("XML-RPC: hostile calls", calls), Attack("XML-RPC: oversize calls", long_calls))
