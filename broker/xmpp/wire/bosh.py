"""The wrapper that BOSH puts around stanzas, as values (XEP-0124 §6, XEP-0206)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from broker.errors import BrokerError
from broker.model.number import whole_or_none
from broker.xml.children import NoParent, children_of
from broker.xml.stanza import START_TAG
from broker.xml.tree import parse_tree
from broker.xml.write import escape_attribute
from broker.xmpp.wire import ns

MAX_RID = (1 << 53) - 1
"""XEP-0124 §14.1."""
MAX_PAYLOADS = 25
"""Elements in one body."""
MAX_TAG = 4096
_MAX_SID = 256
MAX_DEPTH = 64
_DECLARATION = re.compile(rb"\s*<\?xml[^<>?]*\?>\s*")
_XBOSH = f"{{{ns.XBOSH}}}"
_NAMES = (ns.BOSH, "body")


class BadBody(Exception):
    """What came is no body of BOSH; the text says why."""


@dataclass(frozen=True, slots=True)
class Body:
    """One body.

    Args:
        rid: id of its request.
        sid: of the session; empty in the first one.
        attributes: all of them; those of ``urn:xmpp:xbosh`` as ``xmpp:version`` and so on.
        payloads: its elements, each as it came.
        size: bytes of all of it.
    """

    rid: int
    sid: str
    attributes: Mapping[str, str]
    payloads: Sequence[bytes]
    size: int

    @property
    def is_restart(self) -> bool:
        """Whether the stream begins anew (XEP-0206 §5)."""
        return self.attributes.get("xmpp:restart") in ("true", "1")

    @property
    def is_end(self) -> bool:
        """Whether the client ends the session (XEP-0124 §13)."""
        return self.attributes.get("type") == "terminate"

    @property
    def pause(self) -> int | None:
        """Seconds for which the client wants to be silent; ``None`` where it does not ask (XEP-0124 §10)."""
        return self.number("pause")

    def number(self, name: str, most: int = MAX_RID) -> int | None:
        """A number of at most so much among the attributes; ``None`` where there is none that can be one."""
        return whole_or_none(self.attributes.get(name, ""), 0, most)


def read_body(data: bytes, limit_of: Callable[[str], int] | None = None) -> Body:
    """Read a body.

    Args:
        data: what a request has brought.
        limit_of: the most bytes of a body of a session, by the id that it names; looked at before the payload is read.

    Raises:
        BadBody: it is none.
    """
    declaration = _DECLARATION.match(data)
    text = data[declaration.end() :].strip() if declaration is not None else data.strip()
    tag = START_TAG.match(text)
    if tag is None or len(tag[0]) > MAX_TAG:
        raise BadBody("it does not begin with a tag")
    empty = tag[0] if tag[0].endswith(b"/>") else tag[0][:-1] + b"/>"
    try:
        root = parse_tree(empty, what="body", limit=MAX_TAG)
    except BrokerError as error:
        raise BadBody(error.message) from error
    if (root.namespace, root.name) != _NAMES:
        raise BadBody(f"it is not <body/> of {ns.BOSH}")
    attributes = {
        f"xmpp:{name.removeprefix(_XBOSH)}" if name.startswith(_XBOSH) else name: value
        for name, value in root.attributes.items()
    }
    rid = whole_or_none(attributes.get("rid", ""), 0, MAX_RID)
    if rid is None:
        raise BadBody("it has no rid")
    sid = attributes.get("sid", "")
    if len(sid) > _MAX_SID:
        raise BadBody("its sid is too long")
    if limit_of is not None and len(data) > limit_of(sid):
        raise BadBody(f"it has more than {limit_of(sid)} bytes")
    try:
        payloads = children_of(text, max_depth=MAX_DEPTH, most=MAX_PAYLOADS)
    except NoParent as error:
        raise BadBody(str(error)) from error
    return Body(rid, sid, attributes, payloads, len(data))


def write_body(attributes: Mapping[str, object], payload: bytes = b"") -> bytes:
    """Write a body.

    Args:
        attributes: by name, with the prefixes ``xmpp`` and ``xml``.
        payload: its elements, each with its namespaces.
    """
    written = "".join([f" {name}='{escape_attribute(str(value))}'" for name, value in attributes.items()])
    prefix = f" xmlns:xmpp='{ns.XBOSH}'" if any(name.startswith("xmpp:") for name in attributes) else ""
    stream = f" xmlns:stream='{ns.STREAM}'" if b"<stream:" in payload else ""
    head = f"<body xmlns='{ns.BOSH}'{prefix}{stream}{written}".encode()
    return b"%b>%b</body>" % (head, payload) if payload else head + b"/>"
