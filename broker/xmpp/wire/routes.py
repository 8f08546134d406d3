"""Elements of ``jabber:connectionmanager``, the protocol of existing connection managers (spec connection-manager).

A manager wraps what its clients send in ``<route streamid='…'>``, and so does the server with what it sends to them.
What is written here stands in a stream whose default namespace is :data:`NAMESPACE`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from broker.errors import BrokerError
from broker.xml.stanza import Stanza
from broker.xml.stream import StreamReader
from broker.xml.tree import Tree, parse_tree
from broker.xml.write import escape_attribute
from broker.xmpp.wire import ns
from broker.xmpp.wire.errors import StanzaError
from broker.xmpp.wire.stanza import element

NAMESPACE = "jabber:connectionmanager"
"""Of a link's stream; also the one that stanzas of clients without a declaration are in on the link."""
PAYLOAD = "http://jabber.org/protocol/connectionmanager"
"""Of what is asked by ``<iq/>``: sessions and the configuration."""
ERRORS = f"{PAYLOAD}#errors"
COMPRESS = "http://jabber.org/protocol/compress"
COMPRESS_FEATURE = "http://jabber.org/features/compress"
FRAMES = "urn:xmlbroker:manager-links:1"

CLIENT_HEADER = f"<stream:stream xmlns='{ns.CLIENT}' xmlns:stream='{ns.STREAM}' version='1.0'>".encode()
"""What the stream of every routed client begins with, as the manager has answered its header itself."""
_OWN = NAMESPACE.encode()
_LONGEST_KEPT = 300
_TAGS = 4096
_ID = re.compile(rb"""\bid\s*=\s*(?:'([^'<&]{1,256})'|"([^"<&]{1,256})")""")
_SESSION_ID = re.compile(rb"""<session\b[^>]{0,300}?\bid\s*=\s*(?:'([^'<&]{1,256})'|"([^"<&]{1,256})")""")
_MARKUP = re.compile(rb"""<!\[CDATA\[.*?\]\]>|<(/?+)(?:[^>"'/]++|/(?!>)|"[^"]*+"|'[^']*+')*+(/?)>""", re.DOTALL)
_START = re.compile(rb"""<([^\s/>]++)(?:[^>"'/]++|/(?!>)|"[^"]*+"|'[^']*+')*+(/?)>""")
_ELEMENT_NAME = re.compile(rb"<([^\s/>]+)")


@dataclass(frozen=True, slots=True)
class Configuration:
    """What a manager offers its clients, as the server tells it (spec §3).

    Args:
        mechanisms: of SASL.
        tls: clients may start TLS.
        tls_required: and must.
    """

    mechanisms: Sequence[str]
    tls: bool
    tls_required: bool

    def to_bytes(self, id: str) -> bytes:
        """The request that tells it.

        Args:
            id: of the request.
        """
        required = "<required/>" if self.tls_required else ""
        starttls = f"<starttls xmlns='{ns.TLS}'>{required}</starttls>" if self.tls else ""
        names = "".join([f"<mechanism>{each}</mechanism>" for each in self.mechanisms])
        content = f"{starttls}<mechanisms xmlns='{ns.SASL}'>{names}</mechanisms>"
        payload = element("configuration", PAYLOAD, content=content.encode())
        return element("iq", "", {"type": "set", "id": id}, payload)


def digest(stream_id: str, secret: str) -> str:
    """What proves that a manager knows the secret (spec §2.3): 40 hexadecimal digits."""
    return hashlib.sha1(f"{stream_id}{secret}".encode(), usedforsecurity=False).hexdigest()


def header(link: str, id: str = "") -> bytes:
    """What opens the server's side of a link.

    Args:
        link: address of the link, as the manager has given it.
        id: of the stream; empty for none.
    """
    written = f' id="{escape_attribute(id)}"' if id else ""
    return (
        "<?xml version='1.0' encoding='UTF-8'?>"
        f'<stream:stream xmlns:stream="{ns.STREAM}" xmlns="{NAMESPACE}" from="{escape_attribute(link)}"{written}'
        ' version="1.0">'
    ).encode()


def features(*, tls: bool, tls_required: bool, zlib: bool, frames: bool) -> bytes:
    """The features of a link.

    Args:
        tls: TLS can be started.
        tls_required: and must be.
        zlib: it can be compressed.
        frames: it can go on in frames.
    """
    parts = []
    if tls:
        parts.append(f"<starttls xmlns='{ns.TLS}'>{'<required/>' if tls_required else ''}</starttls>")
    if zlib:
        parts.append(f"<compression xmlns='{COMPRESS_FEATURE}'><method>zlib</method></compression>")
    if frames:
        parts.append(f"<frames xmlns='{FRAMES}'/>")
    return f"<stream:features>{''.join(parts)}</stream:features>".encode()


def route_head(domain: str, manager: str, id: str) -> bytes:
    """The start tag of what is for one client (spec §5).

    Args:
        domain: that is served.
        manager: name of the manager.
        id: of the session.
    """
    return (
        f"<route from='{escape_attribute(domain)}' to='{escape_attribute(manager)}' streamid='{escape_attribute(id)}'>"
    ).encode()


def close_request(domain: str, manager: str, session: str, id: str) -> bytes:
    """What has a manager close a client's connection (spec §4.2).

    Args:
        domain: that is served.
        manager: name of the manager.
        session: its id.
        id: of the request.
    """
    payload = element("session", PAYLOAD, {"id": session}, b"<close/>")
    attributes = {"type": "set", "from": domain, "to": manager, "id": id}
    return element("iq", "", attributes, payload)


def answer(request: Tree, domain: str, error: StanzaError | None = None) -> bytes:
    """The answer to a manager's request, with the request's own content, which managers look for (spec §4.1).

    Args:
        request: the ``<iq/>``.
        domain: that is served.
        error: why it is refused, if it is.
    """
    attributes = {
        "type": "result" if error is None else "error",
        "id": request.attributes.get("id", ""),
        "from": request.attributes.get("to", domain),
        "to": request.attributes.get("from"),
    }
    content = b"".join([child.to_bytes(NAMESPACE) for child in request.children])
    if error is not None:
        content += error.to_bytes()
    return element("iq", "", attributes, content)


def error_route(domain: str, link: str, error: StanzaError, id: str = "") -> bytes:
    """What refuses a route (spec §5).

    Args:
        domain: that is served.
        link: address of the link.
        error: why.
        id: of the session; empty for none.
    """
    attributes = {"streamid": id or None, "from": domain, "to": link, "type": "error"}
    return element("route", "", attributes, error.to_bytes())


def own_condition(name: str) -> bytes:
    """A condition of this protocol, for what an error has beside the defined one."""
    return element(name, ERRORS)


def attributes_of(tag: bytes) -> dict[str, str]:
    """The attributes of a start tag. Routes of one session have the same one again and again.

    Raises:
        BrokerError: ``user.illegalArgument`` where it is malformed.
    """
    return _attributes(tag) if len(tag) <= _LONGEST_KEPT else _attributes.__wrapped__(tag)


@lru_cache(_TAGS)
def _attributes(tag: bytes) -> dict[str, str]:
    name = _ELEMENT_NAME.match(tag)
    end = b"/>" if tag.endswith(b"/>") else b"></%b>" % (name[1] if name else b"")
    return read(tag.removesuffix(b"/>").removesuffix(b">") + end).attributes


def read(data: bytes) -> Tree:
    """An element of a link.

    Raises:
        BrokerError: ``user.illegalArgument`` where it is malformed.
    """
    return parse_tree(data, NAMESPACE, {"stream": ns.STREAM}, what="element of a link", limit=len(data))


def what_can_be_read(data: bytes) -> Tree:
    """A request that is malformed, as far as its answer needs it.

    The name of a client's host stands in it unescaped, so it may be anything.

    Args:
        data: an ``<iq/>`` that :func:`read` has refused.
    """
    tag, _, content = data.partition(b">")
    id, session = _ID.search(tag), _SESSION_ID.search(content)
    request = Tree(NAMESPACE, "iq", {"type": "set", "id": _found(id)})
    if session is not None:
        payload = Tree(PAYLOAD, "session", {"id": _found(session)})
        for name in ("create", "close", "failed"):
            if f"<{name}".encode() in content:
                payload.nodes.append(Tree(PAYLOAD, name))
                break
        request.nodes.append(payload)
    return request


def _found(match: re.Match[bytes] | None) -> str:
    return "" if match is None else (match[1] or match[2]).decode("utf-8", "replace")


def stanza_within(parent: Tree) -> Stanza | None:
    """The only child of an element, as a client of this server would have sent it; ``None`` where there is no such one.

    Args:
        parent: whose child has the namespace of the link, of the request, or ``jabber:client``: without a declaration
            of its own it is a stanza of ``jabber:client`` in any case.
    """
    if len(parent.children) != 1:
        return None
    reader = StreamReader(1 << 30, stepwise=False)
    events = reader.feed(CLIENT_HEADER + as_clients(parent.children[0]).to_bytes(ns.CLIENT))
    return next((event for event in events if isinstance(event, Stanza)), None)


def as_clients(tree: Tree) -> Tree:
    """An element with all that was in a namespace of the link in ``jabber:client`` instead."""
    namespace = ns.CLIENT if tree.namespace in (NAMESPACE, PAYLOAD) else tree.namespace
    nodes: list[Tree | str] = [node if isinstance(node, str) else as_clients(node) for node in tree.nodes]
    return Tree(namespace, tree.name, tree.attributes, nodes)


def from_client(content: bytes) -> bytes:
    """What a route brings, for a stream of ``jabber:client``.

    A client's bytes come as they were. Only one that declares the link's own namespace is written anew.
    """
    if _OWN not in content:
        return content
    try:
        tree = read(content)
    except BrokerError:
        return content  # the client's stream tells what is wrong
    return as_clients(tree).to_bytes(ns.CLIENT)


def elements(data: bytes) -> Iterator[bytes]:
    """Cut what is written to a client into single elements (spec §5: a route has one).

    Args:
        data: one or more complete elements, well-formed and without comments.
    """
    start, size = 0, len(data)
    if b"<![" in data:
        yield from _nested_elements(data)
        return
    while (tag := _START.match(data, start)) is not None:
        end = tag.end()
        if not tag[2]:
            last = data.find(b"</%b>" % tag[1], end)
            if last < 0 or data.find(b"<%b" % tag[1], end, last) >= 0:
                break
            end = last + len(tag[1]) + 3
        yield data[start:end]
        start = end
    if start < size:  # elements of one name stand in each other
        yield from _nested_elements(data[start:])


def _nested_elements(data: bytes) -> Iterator[bytes]:
    depth = start = 0
    for found in _MARKUP.finditer(data):
        if found[1] is None:  # CDATA
            continue
        if found[1]:
            depth -= 1
        elif not found[2]:
            depth += 1
        if not depth:
            yield data[start : found.end()]
            start = found.end()
