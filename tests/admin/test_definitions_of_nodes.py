"""Nodes of pub/sub in the definitions of a broker: they are topics with an owner, a configuration and subscribers."""

from __future__ import annotations

import json
from pathlib import Path

from tests.admin.api.test_definitions import Defined
from tests.xmpp.features.pubsub.test_config import configure, form, value
from tests.xmpp.features.pubsub.test_pubsub import entries, ok, publish, refused, subscribe
from tests.xmpp.world import World, settings


def world() -> World:
    return World(settings(sm_ask=False, idle=-1))


def test_node_has_its_owner_configuration_and_subscribers_in_the_broker_that_imports_it(tmp_path: Path) -> None:
    first = world()
    joe, jack = first.bind("joe@localhost/x"), first.bind("jack@localhost/x")
    ok(joe, "set", "<create node='news'/>")
    configure(joe, title="News", max_items="7")
    subscribe(jack)
    first.turn()
    exported = Defined(tmp_path / "first", first).export("?sections=topics,subscriptions&pretty=lines")

    second = world()
    defined = Defined(tmp_path / "second", second)
    answer = defined.take(json.loads(exported))
    assert (answer.status, answer.json["counts"]["create"]) == (200, 2), answer.body

    joe, jack = second.bind("joe@localhost/x"), second.bind("jack@localhost/x")
    refused(jack, "set", "<delete node='news'/>", "forbidden", namespace="http://jabber.org/protocol/pubsub#owner")
    found = form(joe)
    assert (value(found["title"]), value(found["max_items"])) == ("News", "7")
    jack.take()
    publish(joe, "hello")
    second.turn()
    assert entries(jack.take()) == ["hello"]
