"""Stanzas as they are read, passed on, answered and delayed: whatever is inside of them stays what it is."""

from __future__ import annotations

from broker.model.jid import JID
from broker.xml.stanza import Stanza
from broker.xml.stream import StreamReader
from broker.xml.tree import Tree, parse_tree
from broker.xmpp.wire import ns
from broker.xmpp.wire.stanza import delayed, from_attribute, iq_result, route, standalone
from tests.fuzz.support import Choices, require, tried
from tests.fuzz.trees import merged

SENDER = JID("joe", "localhost", "a'b&c").full
HEADERS = (
    "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>",
    "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' xmlns:p='urn:p&amp;q'>",
    "<stream xmlns='http://etherx.jabber.org/streams' xmlns:c='jabber:client' xmlns:p='urn:p'>",
)
STREAM = "http://etherx.jabber.org/streams"
TOKENS = (
    b"<message to='mary@localhost/x' from='joe@localhost' type='chat' id='1' xml:lang='en'>",
    b"</message>",
    b"<c:message",
    b"<iq type='get' id='1'>",
    b"<presence",
    b"<p:x xmlns:p='urn:q'/>",
    b"xmlns='urn:x'",
    b"xmlns=''",
    b"xmlns:p='urn:r'",
    b"p:a='b'",
    b"p:",
    b"<delay xmlns='urn:xmpp:delay'/>",
    b"<![CDATA[<]]>",
    b' from = "\'"',
    b"/>",
    b"&#10;",
)
LONGEST = 1024


def target(data: bytes) -> None:
    """First byte: the header of the stream; then its stanzas."""
    choices = Choices(data)
    reader = StreamReader(1 << 16, stepwise=False)
    for event in reader.feed(choices.pick(HEADERS).encode() + choices.rest()):
        if isinstance(event, Stanza):
            check(event)


def check(stanza: Stanza) -> None:
    """One stanza in all the ways that it can go on."""
    tree = tried(stanza.tree)
    if tree is None:
        return
    tree = merged(tree)
    again = tried(parse_tree, tree.to_bytes())
    require(again is not None and merged(again) == tree, f"{tree} is another one when it is written")
    require([(child.namespace, child.name) for child in tree.children] == list(stanza.children), "other children")
    inside = tried(parse_tree, b"<x>" + stanza.inner + b"</x>", stanza.namespace)
    require(inside is not None and merged(inside).nodes == tree.nodes, f"{stanza.inner!r} is not inside of {tree}")
    if tree.namespace == ns.CLIENT and tree.name in ("message", "presence", "iq"):
        passed_on(stanza, tree)


def passed_on(stanza: Stanza, tree: Tree) -> None:
    """As others get it."""
    target = stanza.attributes.get("to")
    for to in (None, "mary@localhost/'&"):
        wanted = {**tree.attributes, "from": SENDER, "to": to or target or ""}
        wanted = {key: value for key, value in wanted.items() if value}
        for extra in (b"", b"<e xmlns='urn:e'/>"):
            written = route(stanza, from_attribute(SENDER), to, extra=extra)
            found = read(written)
            kept = {key: value for key, value in found.attributes.items() if value}
            require(kept == wanted, f"{written!r}: the attributes are {kept}, not {wanted}")
            nodes = [*tree.nodes, Tree("urn:e", "e")] if extra else tree.nodes
            require(found.nodes == nodes, f"{written!r} has not what {stanza.raw!r} has")
            read(delayed(written, "localhost", 0))
            alone = tried(parse_tree, standalone(written))
            require(alone is not None and merged(alone) == found, f"{standalone(written)!r} is something else")
    answer = read(iq_result(stanza))
    require(answer.attributes.get("id", "") == stanza.attributes.get("id", ""), "the answer has another id")


def read(data: bytes) -> Tree:
    """What was written, as it stands in a stream."""
    found = tried(parse_tree, data, ns.CLIENT)
    if found is None:
        raise AssertionError(f"{data!r} cannot be read")
    return merged(found)
