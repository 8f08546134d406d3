"""The broker's own topics are for administrators, whatever asks, and by whatever way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from broker.errors import BrokerError, Code
from broker.model.key import Key, QueryKey, QueryKind
from broker.model.qos import Destination, PublishQos, QueryQos
from tests.core.world import DEFAULTS, Client
from tests.effects.tongues import Plugin
from tests.xmpp.features.pubsub.test_pubsub import refused
from tests.xmpp.world import World

OID = "__sys__deadMessage"
EXACT = QueryKey(QueryKind.EXACT, OID)
QOS = QueryQos()


@pytest.fixture
def world() -> World:
    """With a private message that became a dead message."""
    world = World(core=replace(DEFAULTS, administrators=frozenset({"boss"})))
    receiver = world.client("mary/1", answers=False)
    world.client("ann/1").send("mary/1", b"private")
    receiver.lose_connection()
    world.turn()
    return world


def prepare(client: Client, oid: str, **qos: Any) -> None:
    client.world.broker.prepare(client.session, Key(oid), PublishQos(**qos))


NATIVE: dict[str, Callable[[Client], object]] = {
    "get": lambda client: client.get(OID),
    "get of all": lambda client: client.get(OID, "<qos><history numEntries='-1'/></qos>"),
    "subscribe": lambda client: client.subscribe(OID),
    "erase": lambda client: client.erase(OID),
    "empty": lambda client: client.erase(OID, "<qos><history numEntries='-1'/></qos>"),
    "publish": lambda client: client.publish(OID, b"forged"),
    "create": lambda client: client.publish("__sys__Login", b"forged"),
    "configure": lambda client: client.publish(OID, qos="<qos><administrative/></qos>"),
    "prepare": lambda client: prepare(client, OID),
    "send": lambda client: prepare(client, OID, destinations=(Destination("mary"),), subscribable=False),
}


def permitted(ask: Callable[[], object]) -> bool:
    try:
        ask()
    except BrokerError as error:
        assert error.code == Code.USER_NOT_AUTHORIZED
        return False
    return True


@pytest.mark.parametrize("who", ["joe", "boss"])
@pytest.mark.parametrize("effect", NATIVE)
def test_a_native_client_reaches_them_as_an_administrator_only(world: World, effect: str, who: str) -> None:
    client = world.client(f"{who}/1")
    before = len(world.node.topics[OID].history), set(world.node.topics), set(world.node.subscriptions)
    assert permitted(lambda: NATIVE[effect](client)) is (who == "boss")
    if who != "boss":
        assert (len(world.node.topics[OID].history), set(world.node.topics), set(world.node.subscriptions)) == before


def test_an_administrator_reads_them(world: World) -> None:
    assert world.client("boss/1").get(OID) == [b"private"]


def test_a_plugin_reaches_them_as_an_administrator_only(world: World) -> None:
    plugin = Plugin(world)
    for ask in (
        lambda: plugin.run(world.broker.get(plugin.session, EXACT, QOS)),
        lambda: plugin.run(world.broker.subscribe(plugin.session, EXACT, QOS)),
        lambda: plugin.run(world.broker.subscribe_account(plugin.session, EXACT, QOS)),
        lambda: plugin.run(world.broker.retract(plugin.session, OID, ["1"])),
        lambda: plugin.run(world.broker.erase(plugin.session, EXACT, QOS)),
    ):
        assert not permitted(ask)


@pytest.mark.parametrize(
    "query", ["<key queryType='XPATH'>//key</key>", f"<key queryType='XPATH'>//key[@oid='{OID}']</key>"]
)
def test_a_query_finds_none_of_them(world: World, query: str) -> None:
    joe = world.client("joe/1")
    assert joe.get(key=query, qos="<qos><history numEntries='-1'/></qos>") == []
    joe.subscribe(key=query)
    world.client("boss/1").publish(OID, b"another")
    assert joe.contents == []
    assert joe.erase(key=query) == []


def test_an_xmpp_client_finds_none_of_them(world: World) -> None:
    joe = world.bind("joe@localhost/x")
    refused(joe, "get", f"<items node='{OID}'/>", "item-not-found")
    refused(joe, "set", f"<subscribe node='{OID}' jid='joe@localhost'/>", "item-not-found")
    refused(joe, "set", f"<publish node='{OID}'><item><a xmlns='u'/></item></publish>", "not-acceptable")


def test_whoever_is_no_administrator_any_more_is_sent_no_more_of_them(world: World) -> None:
    boss = world.client("boss/1", retries=-1, persistent=True)
    boss.subscribe(OID, "<qos><persistent/></qos>")
    world.settings = replace(DEFAULTS, administrators=frozenset({"ann"}))
    again = world.crash()
    assert not again.node.subscriptions
    assert not again.crash().node.subscriptions
