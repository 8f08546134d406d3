"""Requests and stanzas of a bound client: to every service, with payloads that look right, or nearly, or not at all."""

from __future__ import annotations

from broker.xmpp.wire import ns
from tests.fuzz.grammar import Grammar
from tests.fuzz.support import Choices, quiet, require
from tests.fuzz.xmpp import LONGEST_ANSWER, ended, written
from tests.xmpp.world import World

TARGETS = (
    "",
    "localhost",
    "pubsub.localhost",
    "joe@localhost",
    "joe@localhost/x",
    "mary@localhost",
    "mary@localhost/y",
    "nobody@localhost",
    "elsewhere.example",
    "@",
)
KINDS = ("iq set", "iq get", "message chat", "presence", "iq result", "iq error", "message", "message groupchat")
PRESENCES = ("", "unavailable", "subscribe", "subscribed", "unsubscribe", "unsubscribed", "probe", "error", "odd")
GRAMMAR = Grammar(
    namespaces=(
        ns.CLIENT,
        ns.ROSTER,
        ns.PUBSUB,
        ns.PUBSUB_OWNER,
        ns.DISCO_INFO,
        ns.DISCO_ITEMS,
        ns.BLOCKING,
        ns.PRIVATE,
        ns.VCARD,
        ns.LAST,
        ns.VERSION,
        ns.TIME,
        ns.PING,
        ns.CARBONS,
        ns.FORWARD,
        ns.DATA_FORMS,
        ns.RSM,
        ns.BIND,
        ns.SESSION,
        ns.HINTS,
        ns.STABLE_ID,
        ns.DELAY,
        ns.PUBSUB_EVENT,
        ns.CSI,
        ns.SM,
        ns.STANZAS,
        "urn:unknown",
    ),
    names=(
        "query",
        "pubsub",
        "item",
        "items",
        "create",
        "configure",
        "publish",
        "publish-options",
        "subscribe",
        "unsubscribe",
        "subscriptions",
        "subscription",
        "affiliations",
        "affiliation",
        "options",
        "retract",
        "delete",
        "purge",
        "default",
        "x",
        "field",
        "value",
        "option",
        "block",
        "unblock",
        "blocklist",
        "vCard",
        "ping",
        "enable",
        "disable",
        "set",
        "max",
        "before",
        "after",
        "group",
        "body",
        "subject",
        "show",
        "status",
        "priority",
        "private",
        "no-copy",
        "no-store",
        "received",
        "forwarded",
        "bind",
        "resource",
        "session",
        "time",
        "error",
        "a",
        "r",
        "active",
        "inactive",
        "c",
    ),
    attributes=(
        "node",
        "jid",
        "id",
        "type",
        "var",
        "name",
        "subscription",
        "ask",
        "approved",
        "ver",
        "max_items",
        "subid",
        "notify",
        "affiliation",
        "h",
        "xml:lang",
        "stamp",
        "from",
        "resume",
        "label",
    ),
    values=(
        "",
        "joe@localhost",
        "joe@localhost/x",
        "mary@localhost",
        "localhost",
        "@/",
        "news",
        "submit",
        "form",
        "cancel",
        "remove",
        "none",
        "both",
        "true",
        "1",
        "0",
        "-1",
        "99999999999999999999",
        "FORM_TYPE",
        "http://jabber.org/protocol/pubsub#node_config",
        "http://jabber.org/protocol/pubsub#publish-options",
        "http://jabber.org/protocol/pubsub#subscribe_options",
        "pubsub#persist_items",
        "pubsub#max_items",
        "pubsub#access_model",
        "pubsub#publish_model",
        "pubsub#send_last_published_item",
        "open",
        "whitelist",
        "max",
        "owner",
        "publisher",
        "current",
        "a'b\"c<d>&\t\n",
        "ä\u0301\U0001f600",
        "x" * 2000,
    ),
)
LONGEST = 512
TOKENS = ()


def target(data: bytes) -> None:
    """Stanzas of two clients, one after the other, made of choices; where all is chosen it ends."""
    with quiet():
        world = World()
        timers = world.timers
        joe = world.bind("joe@localhost/x", sm=bool(data[:1] and data[0] & 1))
        mary = world.bind("mary@localhost/y")
        choices = Choices(data[1:])
        sent = 0
        while choices and sent < 100_000:
            peer = joe if choices.below(4) else mary
            stanza = made(choices, sent)
            sent += len(stanza)
            peer.send(stanza)
            if not choices.below(16):
                world.advance(choices.below(4) * 100)
        for peer in (joe, mary):
            written(peer.transport.data)
            require(len(peer.transport.data) <= LONGEST_ANSWER + 100 * sent, "too much in answer")
        mary.cut()
        ended(world, joe, timers)


def made(choices: Choices, number: int) -> bytes:
    """One stanza."""
    kind, _, type = choices.pick(KINDS).partition(" ")
    if kind == "presence":
        type = choices.pick(PRESENCES)
    to = choices.pick(TARGETS)
    attributes = f" id='{number}'" + (f" type='{type}'" if type else "") + (f" to='{to}'" if to else "")
    payload = b"".join(GRAMMAR.element(choices, ns.CLIENT) for _ in range(choices.below(3)))
    return f"<{kind}{attributes}>".encode() + payload + f"</{kind}>".encode()
