"""Addresses: prepared ones stay as they are, and the short way agrees with the long one."""

from __future__ import annotations

from broker.model.address import parse_session_name
from broker.model.jid import JID, MAX_PART, parse_jid, prepare_domain, prepare_local, prepare_resource
from broker.store.limits import MAX_INTEGER
from tests.fuzz.support import require, tried

TOKENS = (
    b"@",
    b"/",
    b".",
    b"localhost",
    b"xn--nxasmq6b",
    b"127.0.0.1",
    b"[::1]",
    "ß".encode(),
    "İ".encode(),
    "ｊｏｅ".encode(),
    "\u200d".encode(),
    "\u0301".encode(),
    "א".encode(),
    "。".encode(),
    b"/node/heron/client/joe/session/-1",
)
LONGEST = 256


def target(data: bytes) -> None:
    """The text of an address."""
    text = data.decode("utf-8", "replace")
    jid = tried(parse_jid, text)
    if jid is not None:
        for part in (jid.local, jid.domain, jid.resource):
            require(len(part.encode()) <= MAX_PART, "a part is too long")
        require(tried(parse_jid, jid.full) == jid, f"{jid!r} is another one when it is read again")
        require(slowly(jid) == jid, f"{jid!r} is {slowly(jid)!r} the long way")
        require("@" not in jid.local and "/" not in jid.bare, "a delimiter inside of a part")
    name = tried(parse_session_name, text, "heron")
    if name is not None:
        require(abs(name.public_id) <= MAX_INTEGER, f"{name.public_id} is no number of a session")


def slowly(jid: JID) -> JID:
    """The address out of its parts, each prepared."""
    local = prepare_local(jid.local) if jid.local else ""
    return JID(local, prepare_domain(jid.domain), prepare_resource(jid.resource))
