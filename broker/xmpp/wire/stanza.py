"""Writing stanzas: new ones, and those of clients with other addresses (RFC 6120 §8, RFC 6121).

What is written stands in a stream whose default namespace is ``jabber:client``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from broker.errors import BrokerError
from broker.model.cache import cached_if_short
from broker.xml.stanza import Stanza
from broker.xml.tree import parse_tree, write_attributes
from broker.xml.write import escape, escape_attribute
from broker.xmpp.wire import ns

STREAM_END = b"</stream:stream>"
"""The end of a stream whose header has the usual prefix (RFC 6120 §4.4)."""
MAX_TIME = 253_402_300_799_999
"""The last moment that can be written, in milliseconds since 1970: the end of the year 9999."""
_CACHED = 65_536
_VALUE = rb"""\s*=\s*(?:"[^"]*+"|'[^']*+')"""
_NAME = rb"(?:xml:lang|[^\s=/>:]++)"
_PLAIN_START = re.compile(rb"<([^\s/>:]++)((?:\s++" + _NAME + _VALUE + rb")*+)\s*+(/?>)")
"""A start tag whose names have no prefix (but for ``xml:lang``) and which declares none."""
_ATTRIBUTE = re.compile(rb"\s++(?:from|to|xmlns)" + _VALUE + rb"|(\s++" + _NAME + _VALUE + rb")")
_BEHIND_NAME = b" />\t\r\n"
_ENDS = {name: f"</{name}>".encode() for name in ("message", "presence", "iq")}
_DELAY = ns.DELAY.encode()
_DECLARES = re.compile(rb"<[^\s/>]++(?:\s++(?!xmlns[\s=])[^\s=/>]++" + _VALUE + rb")*+\s++xmlns[\s=]")
"""The beginning of a start tag up to its default namespace, if it declares one."""
_START = re.compile(rb"<[^\s/>]++")


@cached_if_short(_CACHED)
def _attribute(value: str, name: str) -> bytes:
    return f" {name}='{escape_attribute(value)}'".encode()


def from_attribute(address: str) -> bytes:
    """How a stanza says whom it is from."""
    return _attribute(address, "from")


def to_attribute(address: str) -> bytes:
    """How a stanza says whom it is for."""
    return _attribute(address, "to")


def route(stanza: Stanza, from_: bytes, to: str | None = None, *, extra: bytes = b"") -> bytes:
    """A stanza of a client as it goes on to its receiver.

    Args:
        stanza: as it came; all it says stays but for addresses.
        from_: the sender, as :func:`from_attribute` writes it.
        to: the receiver; ``None`` for the ``to`` that it has, if any.
        extra: elements to add at its end.
    """
    raw = stanza.raw
    own = stanza.attributes
    language = stanza.scope.language
    if language and "xml:lang" not in own:  # RFC 6120 §8.1.5
        from_ += language
    if "from" not in own and (to is None or to == own.get("to")) and not stanza.uses_header:
        head = 1 + len(stanza.name)
        if raw[head] in _BEHIND_NAME:  # else its name has a prefix
            if not extra:
                return b"".join((raw[:head], from_, raw[head:]))
            end = _ENDS[stanza.name]
            if raw.endswith(end):
                return b"".join((raw[:head], from_, raw[head : -len(end)], extra, end))
    return _rewritten(stanza, from_, to, extra)


def _rewritten(stanza: Stanza, addresses: bytes, to: str | None, extra: bytes) -> bytes:
    raw = stanza.raw
    target = stanza.attributes.get("to") if to is None else to
    if target:
        addresses += _attribute(target, "to")
    found = _PLAIN_START.match(raw)
    if found is not None and not stanza.uses_header:
        name, attributes, end = found.groups()
        # Attribute by attribute, so that what looks like an address inside of a value stays there.
        attributes = _ATTRIBUTE.sub(rb"\1", attributes)
        if not extra:
            return b"<%b%b%b%b%b" % (name, attributes, addresses, end, raw[found.end() :])
        inner = b"" if end == b"/>" else raw[found.end() : raw.rindex(b"<")]
        return b"<%b%b%b>%b%b</%b>" % (name, attributes, addresses, inner, extra, name)
    others = {
        name: value for name, value in stanza.attributes.items() if name not in ("from", "to") and value is not None
    }
    name = stanza.name.encode()
    written = write_attributes(others).encode()
    return b"<%b%b%b>%b%b</%b>" % (name, written, addresses, stanza.inner, extra, name)


def element(
    name: str, namespace: str = "", attributes: Mapping[str, str | None] | None = None, content: bytes | str = b""
) -> bytes:
    """An element.

    Args:
        name: of the element.
        namespace: declared as the default; empty for that which is in force.
        attributes: those that are ``None`` are left out.
        content: text, which is escaped, or elements as bytes.
    """
    inner = escape(content).encode() if isinstance(content, str) else content
    declared = f" xmlns='{escape_attribute(namespace)}'" if namespace else ""
    head = f"<{name}{declared}{write_attributes(attributes) if attributes else ''}".encode()
    return b"%b>%b</%b>" % (head, inner, name.encode()) if inner else head + b"/>"


def iq(type: str, id: str, payload: bytes = b"", *, from_: str = "", to: str = "") -> bytes:
    """An ``<iq/>``."""
    return _stanza("iq", type, id, from_, to, payload)  # an empty id is one, too


def iq_result(
    stanza: Stanza, payload: bytes | None = None, *, from_: str | None = None, to: str | None = None
) -> bytes:
    """The answer to a request (RFC 6120 §8.2.3).

    Args:
        stanza: the request.
        payload: of the answer.
        from_: by default the one that was asked.
        to: by default the one who asked.
    """
    attributes = stanza.attributes
    return _stanza(
        "iq",
        "result",
        attributes.get("id"),
        attributes.get("to", "") if from_ is None else from_,
        attributes.get("from", "") if to is None else to,
        payload or b"",
    )


def message(from_: str, to: str, *, type: str = "", id: str = "", children: bytes = b"") -> bytes:
    """A ``<message/>``."""
    return _stanza("message", type, id or None, from_, to, children)


def message_around_address(from_: str, type: str, id: str, children: bytes) -> tuple[bytes, bytes]:
    """What stands before and behind the address (:func:`to_attribute`) in a ``<message/>`` for several receivers."""
    head = b"<message%b id='%b'%b" % (_attribute(type, "type"), escape_attribute(id).encode(), from_attribute(from_))
    return head, b">%b</message>" % children


def presence(from_: str, to: str = "", *, type: str = "", children: bytes = b"") -> bytes:
    """A ``<presence/>``."""
    return _stanza("presence", type, None, from_, to, children)


def _stanza(name: str, type: str, id: str | None, from_: str, to: str, children: bytes) -> bytes:
    parts = [f"<{name}".encode()]
    if type:
        parts.append(_attribute(type, "type"))
    if id is not None:
        parts.append(f" id='{escape_attribute(id)}'".encode())
    if from_:
        parts.append(_attribute(from_, "from"))
    if to:
        parts.append(_attribute(to, "to"))
    if children:
        parts += (b">", children, f"</{name}>".encode())
    else:
        parts.append(b"/>")
    return b"".join(parts)


def standalone(data: bytes) -> bytes:
    """A stanza as it can stand in an element of another namespace (XEP-0297)."""
    if _DECLARES.match(data):
        return data
    name = _START.match(data)
    assert name is not None  # an element begins with its name
    return b"%b xmlns='%b'%b" % (name[0], ns.CLIENT.encode(), data[name.end() :])


def time_stamp(milliseconds: int) -> str:
    """A moment as XMPP writes it (XEP-0082).

    Args:
        milliseconds: since 1970.
    """
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}Z"


def delayed(data: bytes, by: str, milliseconds: int) -> bytes:
    """Mark a stanza as sent late (XEP-0203), unless it is no message or presence, or is marked already.

    Args:
        data: a stanza as the functions here write it.
        by: who delayed it.
        milliseconds: since 1970 when it was sent.
    """
    if data.startswith(b"<iq") or (_DELAY in data and _is_delayed(data)):
        return data
    mark = f"<delay xmlns='{ns.DELAY}' from='{escape_attribute(by)}' stamp='{time_stamp(milliseconds)}'/>".encode()
    name = b"message" if data.startswith(b"<message") else b"presence"
    if data.endswith(b"/>") and data.count(b"<") == 1:
        return b"%b>%b</%b>" % (data[:-2], mark, name)
    end = data.rindex(b"<")
    return data[:end] + mark + data[end:]


def _is_delayed(data: bytes) -> bool:
    """Whether a stanza itself is marked; not one that it forwards (XEP-0297)."""
    try:
        return parse_tree(data, ns.CLIENT, what="stanza", limit=len(data)).find(ns.DELAY, "delay") is not None
    except BrokerError:  # it was read before, so only limits of trees can have been reached
        return False
