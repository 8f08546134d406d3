"""What hostile peers do to the native protocol over XML-RPC."""

from __future__ import annotations

from tests.campaign.attack import Attack
from tests.campaign.native_attacks import LAUGHS
from tests.campaign.web_attacks import hostile_bodies, long_bodies


def _call(params: bytes) -> bytes:
    return b"<methodCall><methodName>xmlBlaster.get</methodName><params>%b</params></methodCall>" % params


def _value(value: bytes) -> bytes:
    return _call(b"<param><value>%b</value></param>" % value)


CALLS = {
    "nothing": b"",
    "no XML": b"x" * 1000,
    "billion laughs": b"<!DOCTYPE a [" + LAUGHS + b"]>" + _value(b"&l9;"),
    "an external entity": b"<!DOCTYPE a [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>" + _value(b"&a;"),
    "a processing instruction": b"<?xml-stylesheet href='a'?>" + _value(b""),
    "deep nesting": _value(b"<array><data><value>" * 1000 + b"</value></data></array>" * 1000),
    "many members": _value(b"<struct>" + b"<member><name/><value/></member>" * 1500 + b"</struct>")[:-20],
    "bad base64": _value(b"<base64>" + b"=" * 50_000 + b"</base64>"),
    "a number without an end": _value(b"<i4>" + b"9" * 50_000 + b"</i4>")[:-20],
    "no session": _call(b"<param><value>nobody</value></param>" * 3),
}


def _is_fault(answer: bytes) -> bool:
    return answer.startswith(b"HTTP/1.1 200 ") and b"<fault>" in answer


ATTACKS = (
    Attack("XML-RPC: hostile calls", hostile_bodies("XMLRPC", b"/", CALLS, _is_fault, "faults")),
    Attack("XML-RPC: oversize calls", long_bodies("XMLRPC", b"/")),
)
