"""Bodies of BOSH: read, or refused as such; what was read can be written and read again."""

from __future__ import annotations

from broker.xml.well_formed import is_element
from broker.xmpp.wire import ns
from broker.xmpp.wire.bosh import MAX_PAYLOADS, MAX_RID, BadBody, read_body, write_body
from tests.fuzz.support import Choices, require

HEAD = f"<body xmlns='{ns.BOSH}' rid='1' sid='s'>".encode()
TOKENS = (
    HEAD,
    f"<body xmlns='{ns.BOSH}' xmlns:xmpp='{ns.XBOSH}' rid='1' to='a' xmpp:version='1.0' hold='1'/>".encode(),
    b"</body>",
    b"<message xmlns='jabber:client'><body>x</body></message>",
    b"<presence/>",
    b"<?xml version='1.0'?>",
    b" ack='1'",
    b" pause='60'",
    b" type='terminate'",
    b" key='a' newkey='b'",
    b" rid='9007199254740992'",
    b"<![CDATA[",
    b"]]>",
    b"<!-- -->",
    b"<!DOCTYPE a [<!ENTITY b 'c'>]>",
    b"&amp;",
    b"\xff",
    b"\0",
)
LONGEST = 2048


def target(data: bytes) -> None:
    """First byte: whether the rest is one body, or the content of one."""
    choices = Choices(data)
    is_content = choices.below(2)
    text = choices.rest()
    try:
        body = read_body(HEAD + text + b"</body>" if is_content else text)
    except BadBody:
        return
    require(0 <= body.rid <= MAX_RID, f"{body.rid} is no rid")
    require(len(body.payloads) <= MAX_PAYLOADS, "it has too many elements")
    for name in ("pause", "ack", "wait"):
        require(body.number(name) is None or body.attributes.get(name, "").isascii(), f"{name} is no number")
    for each in body.payloads:
        require(each.startswith(b"<") and each.endswith(b">"), f"{each!r} is no element")
    written = write_body({"rid": body.rid, "sid": body.sid})
    require(is_element(written), "what is written is no element")
    again = read_body(written)
    require((again.rid, again.sid) == (body.rid, body.sid), "something else came back")
