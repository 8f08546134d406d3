"""Requests of clients that have logged in: every method, with keys, QoS and contents that look right, or nearly."""

from __future__ import annotations

from broker.native.limits import NativeLimits
from broker.native.wire.frames import Unit
from broker.native.wire.methods import SERVER_METHODS
from tests.fuzz.grammar import Grammar
from tests.fuzz.native import ended, finish
from tests.fuzz.support import Choices, quiet
from tests.native.peer import Listener, Peer

LIMITS = NativeLimits(max_frame=256 * 1024)
METHODS = ("publish", "subscribe", "get", *(name.decode() for name in SERVER_METHODS), "PUBLISH", "unknown")
OIDS = ("a", "b", "", "__sys__deadMessage", "__cmd:?freeMem", "__cmd:client/joe/?maxSessions=3", "__subId:1", "x/y z")
COMMANDS = (
    "__cmd:client/joe/1/?queue/callback/entries",
    "__cmd:client/joe/?subscriptionList",
    "__cmd:topic/a/?entries",
    "__cmd:?clientList",
    "__cmd:sysprop/?a=b",
    "__cmd:?die",
    "__cmd:subscription/__subId:1/?filterList",
    "__cmd:client/jack/1/?killSession",
    "__cmd:client/joe/?sendMessage=x",
)
GRAMMAR = Grammar(
    namespaces=("",),
    names=(
        "persistent",
        "priority",
        "expiration",
        "destination",
        "subscribable",
        "topic",
        "queue",
        "persistence",
        "history",
        "filter",
        "clientProperty",
        "forceUpdate",
        "isVolatile",
        "initialUpdate",
        "local",
        "multiSubscribe",
        "updateOneway",
        "content",
        "meta",
        "notify",
        "erase",
        "querySpec",
        "state",
        "sender",
        "route",
        "node",
        "administrative",
        "subscribe",
        "id",
        "msgDistributor",
        "readonly",
        "deleteSubjectQueue",
        "clearSessions",
        "readOnly",
    ),
    attributes=(
        "id",
        "type",
        "lifeTime",
        "forceDestroy",
        "queryType",
        "forceQueuing",
        "numEntries",
        "newestFirst",
        "maxEntries",
        "maxBytes",
        "onOverflow",
        "relating",
        "destroyDelay",
        "name",
        "typeVersion",
        "readonly",
        "info",
        "encoding",
        "maxEntriesCache",
    ),
    values=(
        "true",
        "false",
        "",
        "0",
        "1",
        "-1",
        "2",
        "1000",
        "9223372036854775807",
        "-9223372036854775808",
        "joe",
        "jack",
        "jack/1",
        "joe/99999999999999999999",
        "client/joe/-1",
        "/node/heron/client/jack/2",
        "//*",
        "/xmlBlaster/key[@oid='a']",
        "XPathFilter",
        "GnuRegexFilter",
        "Sql92Filter",
        "size",
        "a = 1 AND b LIKE 'c%'",
        ".*",
        "QueueQuery",
        "maxEntries=2&consumable=true&waitingDelay=5",
        "deadMessage",
        "discardOldest",
        "block",
        "exception",
        "EXACT",
        "XPATH",
        "DOMAIN",
        "history",
        "ConsumableQueue,1.0",
        "int",
        "base64",
        "MAX",
        "ERASED",
        "__subId:heron-1",
        "a'<&",
    ),
)
KEYS = (
    "<key oid='{oid}'/>",
    "<key oid='{oid}' contentMime='text/xml' domain='d'><t a='b'/></key>",
    "<key queryType='XPATH'>//key</key>",
    "<key queryType='XPATH'>//key[@oid='{oid}']</key>",
    "<key queryType='DOMAIN' domain='d'/>",
    "<key oid='{oid}' queryType='EXACT'/>",
    "",
    "<key",
)
CONTENTS = (b"", b"hello", b"<a><b>1</b></a>", b"x" * 5000, b"\0\xff")
LONGEST = 512
TOKENS = ()


def target(data: bytes) -> None:
    """Requests, made of choices, of two clients; updates are answered or not."""
    with quiet():
        listener = Listener(LIMITS)
        peers = [listener.client("joe/1"), listener.client("jack/1")]
        choices = Choices(data)
        sent = 0
        while choices and sent < 100_000:
            sent += request(choices, choices.pick(peers))
            match choices.below(8):
                case 0:
                    listener.world.advance(choices.below(4) * 50)
                case 1 | 2:
                    peers[0].updates()
                case 3:
                    peers[1].updates(answer=False)
        for peer in peers:
            finish(peer, sent, 1 << 20)
        ended(listener)


def request(choices: Choices, peer: Peer) -> int:
    """Send one; tells its size."""
    method = choices.pick(METHODS)
    units = [unit(choices) for _ in range(choices.pick((1, 1, 1, 0, 2)))]
    if peer.closed:
        return 1
    peer.request(method, *units, session=None if choices.below(8) != 7 else b"wrong")
    return sum(len(each.qos) + len(each.key) + len(each.content) for each in units) + 1


def unit(choices: Choices) -> Unit:
    """A message unit."""
    oid = choices.pick(COMMANDS) if choices.below(4) == 3 else choices.pick(OIDS)
    key = choices.pick(KEYS).format(oid=oid)
    qos = b"".join(GRAMMAR.element(choices, "") for _ in range(choices.below(4)))
    return Unit(b"<qos>" + qos + b"</qos>", key.encode(), choices.pick(CONTENTS))
