"""Names that the XML of one account brings cost no other account anything (design D11)."""

from __future__ import annotations

from itertools import count

import pytest

from broker.errors import BrokerError, Code
from broker.xml.names import NAMES
from tests.core.world import Client, World

NUMBERS = count()
"""What is known stays known as long as the process lives."""
EVERYTHING = "<key queryType='XPATH'>//key</key>"
SHARE = NAMES.limits.of_account


def new_names(number: int) -> list[str]:
    return [f"n{next(NUMBERS)}" for _ in range(number)]


def get(client: Client, names: list[str]) -> None:
    client.get(key=f"<key queryType='XPATH'>{' or '.join(names)}</key>")


def exhausted(client: Client) -> None:
    for _ in range(SHARE // 10):
        get(client, new_names(10))
    with pytest.raises(BrokerError) as raised:
        get(client, new_names(10))
    assert raised.value.code == Code.RESOURCE_EXHAUST


def test_expressions_of_one_account_leave_names_for_others() -> None:
    world = World()
    exhausted(world.client("hungry-expressions"))
    mary = world.client("frugal")
    (name,) = new_names(1)
    mary.publish("a", key=f"<key oid='a'><{name}/></key>")
    mary.publish("b", key="<key oid='b'/>", content=b"b")
    assert mary.get(key=f"<key queryType='XPATH'>//key[{name}]</key>") == [b""]


def test_namespaces_of_one_account_leave_namespaces_for_others() -> None:
    world = World()
    hungry, frugal = world.client("hungry-namespaces"), world.client("frugal")
    with pytest.raises(BrokerError) as raised:
        for name in new_names(SHARE):
            hungry.publish(name, key=f"<key oid='{name}'><a xmlns='urn:{name}'/></key>")
    assert raised.value.code == Code.RESOURCE_EXHAUST
    for name in new_names(2):
        frugal.publish(name, key=f"<key oid='{name}'><a xmlns='urn:{name}'/></key>")


def test_contents_that_filters_look_at_count_for_their_publisher() -> None:
    world = World()
    hungry, reader = world.client("hungry-contents"), world.client("reader")
    reader.subscribe("a", "<qos><filter type='XPathFilter'>/a</filter></qos>")
    key = "<key oid='a' contentMime='text/xml'/>"
    for _ in range(SHARE // 1000):
        content = "".join(f"<{name}/>" for name in new_names(1000))
        hungry.publish("a", f"<a>{content}</a>".encode(), key=key)
    with pytest.raises(BrokerError) as raised:
        get(hungry, new_names(10))
    assert raised.value.code == Code.RESOURCE_EXHAUST
    get(reader, new_names(10))
