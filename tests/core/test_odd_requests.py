"""Odd values in every place of every request: accepted or refused, and a start afterwards finds what was accepted."""

from __future__ import annotations

from collections.abc import Callable
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from twisted.python.failure import Failure

from broker.errors import BrokerError
from broker.native.codec import read_connect_qos, read_disconnect_qos, write_connect_qos
from tests.core.world import Client, FakeOutbound, World
from tests.odd_texts import TRICKY, texts

NUMBERS = [
    "",
    " ",
    "0",
    "-0",
    "-1",
    "-16",
    "1",
    "+1",
    " 7 ",
    "²",
    "٣",
    "１",
    "½",
    "1_000",
    "1.5",
    "1e3",
    "NaN",
    "nan",
    "Infinity",
    "-inf",
    "0x10",
    "1" * 19,
    str(2**31),
    str(2**63 - 1),
    str(2**63),
    str(-(2**63)),
    str(10**400),
    "9" * 5000,
]
TEXTS = [
    "true",
    "TRUE",
    "false",
    "yes",
    "joe",
    "ann/1",
    "joe/0",
    "joe/-1",
    "/node/x/client/y",
    "__x",
    "a" * 1100,
    "\u0085",
]
TEXTS += ["block", "discard", "exception", "XPATH", "//key", "//*[", "a/b//c", "__subId:1", "__subId:client/joe/1-z"]
TEXTS += ["AA==", "AA=", "\t\n", "'\"<&>]]>", "\ufffe"[:0], "💥", "base64", "1.0"]
TEXTS += [*TRICKY, "é" * 3000]
ODD = st.sampled_from(NUMBERS + TEXTS) | texts(20)


def attributes(element: str, *names: str, more: str = "", content: str = "") -> list[str]:
    """Places: each attribute of an element, ``@`` where the value comes."""
    return [f"<{element} {more} {name}=@>{content}</{element}>" for name in names]


def contents(*names: str) -> list[str]:
    """Places: the text of each element."""
    return [f"<{name}>#</{name}>" for name in names]


def properties(tag: str) -> list[str]:
    """Places of a property, and typical properties."""
    typed = [
        f"<{tag} name='p' type='{type}'>#</{tag}>"
        for type in ("boolean", "byte", "short", "int", "long", "float", "double", "byte[]", "furlong")
    ]
    return [
        *typed,
        *attributes(tag, "name", "type", "encoding", "charset", "size", content="7"),
        *attributes(tag, "type", "charset", more="name='p' encoding='base64'", content="MQ=="),
        f"<{tag} name='p' encoding='base64'>#</{tag}>",
        f"<{tag} name='p' encoding='base64' type='int'>#</{tag}>",
        *(
            f"<{tag} name='{name}' {more}>#</{tag}>"
            for name in NAMED
            for more in ("", "type='long'", "encoding='base64'")
        ),
    ]


MORE = ("", "type='long'", "encoding='base64'")
NAMED = (
    "pingResponseTimeout",
    "updateResponseTimeout",
    "__newestOnly",
    "__multiSubCheckQos",
    "__remoteProperties",
    "__UTC",
    "_bounce:x",
    "_user.ptp.unknownDestination.ignoreSilently",
)
LIMITS = ("maxEntries", "maxBytes", "maxEntriesCache", "maxBytesCache", "onOverflow", "onFailure", "type", "version")
ADDRESS = (
    *attributes(
        "callback",
        *(
            "type",
            "version",
            "bootstrapHostname",
            "bootstrapPort",
            "port",
            "sessionId",
            "pingInterval",
            "retries",
            "delay",
        ),
        *("delay", "oneway", "dispatcherActive", "useForSubjectQueue", "dispatchPlugin", "stallOnPingTimeout"),
        content="socket://1.2.3.4:5",
    ),
    *(
        f"<callback retries='-1'>{inner}</callback>"
        for inner in (
            "#",
            *attributes("burstMode", "collectTime", "maxEntries", "maxBytes"),
            *attributes("compress", "type", "minSize"),
            "<ptp>#</ptp>",
            *properties("attribute"),
        )
    ),
)
CONNECT = [
    *attributes(
        "session",
        "timeout",
        "maxSessions",
        "clearSessions",
        "reconnectSameClientOnly",
        "sessionId",
        more="name='joe/1'",
    ),
    *attributes("session", "name"),
    *contents("ptp", "clusterNode", "refreshSession", "duplicateUpdates", "instanceId", "persistent", "reconnected"),
    *(
        f"<queue relating='{kind}' {name}=@><callback retries='-1'>socket://1.2.3.4:5</callback></queue>"
        for kind in ("callback", "subject", "connection")
        for name in LIMITS
    ),
    "<queue relating=@><callback retries='-1'>socket://1.2.3.4:5</callback></queue>",
    *(f"<queue relating='callback'>{address}</queue>" for address in ADDRESS),
    *attributes("serverRef", "type"),
    *properties("clientProperty"),
]
PUBLISH = [
    *contents(
        "priority", "subscribable", "persistent", "forceUpdate", "administrative", "isVolatile", "readonly", "sender"
    ),
    *attributes("expiration", "lifeTime", "forceDestroy", "remainingLife"),
    *attributes("destination", "queryType", "forceQueuing", content="joe"),
    "<destination>#</destination>",
    "<destination forceQueuing='true'>#</destination>",
    "<destination forceQueuing='true'>#</destination><subscribable>false</subscribable>",
    *attributes("topic", "readonly", "destroyDelay", "createDomEntry"),
    *(
        f"<topic>{inner}</topic>"
        for inner in (
            *attributes("queue", *LIMITS, more="relating='history'"),
            *attributes("persistence", *LIMITS),
            *attributes("queue", "relating"),
            *attributes("msgDistributor", "typeVersion"),
        )
    ),
    *attributes("state", "id", "info"),
    *(f"<route>{node}</route>" for node in attributes("node", "stratum", "timestamp", "dirtyRead", more="id='n'")),
    *properties("clientProperty"),
]
KEY = ["oid=@", "contentMime=@ oid='o'", "contentMimeExtended=@ oid='o'", "domain=@ oid='o'", "queryType=@ oid='o'"]
QUERY = [
    *contents(
        "meta", "content", "multiSubscribe", "local", "initialUpdate", "updateOneway", "notify", "persistent", "id"
    ),
    *attributes("subscribe", "id"),
    *attributes("erase", "forceDestroy"),
    *attributes("history", "numEntries", "newestFirst"),
    *attributes("filter", "type", "version", content="x"),
    *(
        f"<filter type='{type}'>#</filter>"
        for type in ("GnuRegexFilter", "ContentLenFilter", "XPathFilter", "Sql92Filter")
    ),
    *attributes("querySpec", "type"),
    *properties("clientProperty"),
]
QUERY_KEY = [
    *(f"<key {place}/>" for place in KEY),
    "<key queryType='XPATH'>#</key>",
    "<key oid='o'>#</key>",
    "<key queryType='DOMAIN' domain=@/>",
    "<key queryType=@ oid='o'/>",
    *(f"<key oid='o'><filter type='{type}'>#</filter></key>" for type in ("ContentLenFilter", "Sql92Filter")),
]
DISCONNECT = [*contents("deleteSubjectQueue", "clearSessions"), *properties("clientProperty")]


def put(place: str, value: str) -> str:
    """A value in its place."""
    return place.replace("@", quoteattr(value)).replace("#", escape(value))


PLACES = [
    *(("connect", place) for place in CONNECT),
    *(("publish", place) for place in PUBLISH),
    *(("publish key", f"<key {place}/>") for place in KEY),
    *(("subscribe", place) for place in QUERY),
    *(("subscribe key", place) for place in QUERY_KEY),
    *(("get", place) for place in QUERY),
    *(("get key", place) for place in QUERY_KEY),
    *(("erase", place) for place in QUERY),
    *(("erase key", place) for place in QUERY_KEY),
    *(("disconnect", place) for place in DISCONNECT),
]


class Requests:
    """A client that sends requests as they come from the wire."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.number = 0
        self.client = world.client("ann/1", persistent=True)
        self.client.publish("kept", b"first", "<qos><persistent/></qos>")
        world.client("joe/1", persistent=True).lose_connection()
        self.guest = world.connect("guest").session

    def send(self, method: str, text: str) -> None:
        """Send one; an oid of its own for each, so that filters meet no older message."""
        self.number += 1
        key = f"<key oid='o{self.number}'/>"
        name, _, part = method.partition(" ")
        qos = "<qos/>" if part else f"<qos>{text}</qos>"
        getattr(self, f"_{name}")(text if part else key, qos)
        self.world.turn()

    def _connect(self, _: str, qos: str) -> None:
        given = read_connect_qos(self._login(qos).encode())
        connected = self.world.run(self.world.login.connect(given, "127.0.0.1"))
        outbound = FakeOutbound(connected.session)
        self.world.broker.attach(connected.session, outbound, connected.session.epoch)
        write_connect_qos(connected.qos, redact=True)

    @staticmethod
    def _login(qos: str) -> str:
        security = "<securityService type='htpasswd'><user>joe</user><passwd>x</passwd></securityService>"
        name = "" if "<session" in qos else "<session name='joe/1'/>"
        persistent = "" if "<persistent>" in qos else "<persistent/>"
        return qos.replace("<qos>", f"<qos>{security}{name}{persistent}")

    def _publish(self, key: str, qos: str) -> None:
        persistent = "" if "<persistent>" in qos else "<persistent/>"
        qos = "<qos><persistent/></qos>" if qos == "<qos/>" else qos.replace("</qos>", f"{persistent}</qos>")
        publishing = self.client.publish_later("", b"<x/>", qos, key)
        outcome: list[object] = []
        publishing.addBoth(outcome.append)
        self.world.turn()
        if not outcome:  # it waits for room
            self.world.advance(60)
        for each in outcome:
            if isinstance(each, Failure):
                each.raiseException()

    def _subscribe(self, key: str, qos: str) -> None:
        persistent = "" if "<persistent>" in qos else "<persistent/>"
        qos = "<qos><persistent/></qos>" if qos == "<qos/>" else qos.replace("</qos>", f"{persistent}</qos>")
        self.world.run(self.world.requests.subscribe(self.client.session, key.encode(), qos.encode()))

    def _get(self, key: str, qos: str) -> None:
        self.world.run(self.world.requests.get(self.client.session, key.encode(), qos.encode()))

    def _erase(self, key: str, qos: str) -> None:
        self.world.run(self.world.requests.erase(self.client.session, key.encode(), qos.encode()))

    def _disconnect(self, _: str, qos: str) -> None:
        given = read_disconnect_qos(qos.encode())
        self.world.run(self.world.login.disconnect(self.guest, given))
        self.guest = self.world.connect("guest").session


def stored(world: World) -> dict[str, object]:
    """What is on disk, without what tells the time."""
    world.store.commit()
    tables = world.store.tables
    return {
        "topics": dict(tables.topics),
        "sessions": {id: each._replace(seen=0) for id, each in tables.sessions.items()},
        "subscriptions": dict(tables.subscriptions),
        "subjects": dict(tables.subjects),
        "messages": dict(tables.messages),
        "entries": sorted(tables.entries()),
    }


def standing(world: World) -> dict[str, object]:
    """What survives a crash, as it is in memory."""
    node = world.node
    return {
        "topics": {
            each.oid: (each.key, each.encoded, each.config, each.history.limits, len(each.history))
            for each in node.topics.values()
            if each.stored
        },
        "sessions": {
            each.name.relative: (
                *(write_connect_qos(each.qos, redact=True), each.epoch, each.secret_id, each.timeout),
                *(each.queue.limits, len(each.queue), each.dispatch.delivery, each.dispatch.active),
                sorted(id for id, subscription in each.subscriptions.items() if subscription.persistent),
            )
            for each in node.sessions.values()
            if each.persistent
        },
        "subscriptions": {
            each.id: (each.key, each.qos, each.flags, each.session.name, sorted(topic.oid for topic in each.topics))
            for each in node.subscriptions.values()
            if each.persistent
        },
        "subjects": {each.name: len(each.queue) for each in node.subjects.values() if each.stored},
        "counts": (node.stored_sessions, node.stored_subscriptions),
    }


def in_memory(world: World) -> dict[str, object]:
    """Everything that a request might change."""
    node = world.node
    return {
        **standing(world),
        "all topics": {
            each.oid: (each.state, each.used, sorted(one.id for one in each.subscriptions))
            for each in node.topics.values()
        },
        "all sessions": {
            each.name.relative: (
                each.qos,
                each.persistent,
                each.placeholder,
                each.dispatch.state,
                each.dispatch.outbound,
            )
            for each in node.sessions.values()
        },
        "all subscriptions": sorted(node.subscriptions),
        "all subjects": {
            each.name: (each.max_sessions, each.queue.limits, len(each.queue)) for each in node.subjects.values()
        },
        "queues": len(node.queues),
    }


def check(requests: list[tuple[tuple[str, str], str]], world: World | None = None) -> None:
    """Send requests, start again, and compare.

    Args:
        requests: method and place of each, and the value that comes there.
        world: that they are sent to; one without a disk where it is not given, whose tables are compared, too.
    """
    looks: tuple[Callable[[World], object], ...] = (in_memory, stored) if world is None else (in_memory,)
    world = World() if world is None else world
    client = Requests(world)
    for (method, place), value in requests:
        views = [look(world) for look in looks]
        try:
            client.send(method, put(place, value))
        except BrokerError:
            world.turn()
            for look, view in zip(looks, views, strict=True):
                assert look(world) == view, f"a refused request has changed what is {look.__name__}"
    world.turn()
    before = standing(world)
    again = world.crash()
    assert not again.node.set_aside.records
    assert standing(again) == before
    reader = again.client("reader")
    assert reader.get("kept") == [b"first"] or any(method.startswith("erase") for (method, _), _ in requests)
    receiver: Client = again.client("receiver/1", persistent=True)
    receiver.subscribe("anew", "<qos><persistent/></qos>")
    reader.publish("anew", b"new", "<qos><persistent/></qos>")
    assert receiver.contents == [b"new"]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.sampled_from(PLACES), ODD), min_size=1, max_size=5))
@example([(("publish", "<topic><queue relating='history' maxEntries=@></queue></topic>"), "-1")])
def test_a_request_is_accepted_or_refused_whole_and_survives(requests: list[tuple[tuple[str, str], str]]) -> None:
    check(requests)


@pytest.mark.parametrize("method", ["connect", "publish", "subscribe", "get", "erase", "disconnect"])
def test_every_place_takes_every_odd_number(method: str) -> None:
    for place in [each for each in PLACES if each[0].split()[0] == method]:
        check([(place, value) for value in NUMBERS])
