"""A quota of an account holds in every tongue, and is told as what it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from broker.core.quotas import QuotaLimits
from broker.errors import BrokerError, Code
from tests.core.world import DEFAULTS
from tests.effects.tongues import NEW, OID, TONGUES
from tests.xmpp.world import World

EXHAUSTED = (Code.RESOURCE_EXHAUST, Code.RESOURCE_OVERFLOW_BYTES)
ONE_TIME = "<qos><expiration lifeTime='0'/></qos>"


def world_of(limits: QuotaLimits, **core: int) -> World:
    return World(core=replace(DEFAULTS, quotas=limits, **core))  # type: ignore[arg-type]


def refused(effect: Callable[[], None]) -> None:
    with pytest.raises(BrokerError) as raised:
        effect()
    assert raised.value.code in EXHAUSTED


@pytest.mark.parametrize("make", TONGUES)
class TestQuotas:
    def test_topics(self, make: Any) -> None:
        world = world_of(QuotaLimits(topics=0))
        refused(make(world).create)
        assert NEW not in world.node.topics

    def test_a_topic_counts_for_its_maker(self, make: Any) -> None:
        world = world_of(QuotaLimits(topics=1))
        make(world).create()
        assert world.node.quotas.of("joe").topics == 1

    def test_subscriptions(self, make: Any) -> None:
        world = world_of(QuotaLimits(subscriptions=0))
        world.client("watcher").publish(OID, b"<a/>")
        refused(make(world).subscribe)
        assert not world.node.subscriptions

    def test_a_subscription_counts_for_its_subscriber(self, make: Any) -> None:
        world = world_of(QuotaLimits(subscriptions=1))
        world.client("watcher").publish(OID, b"<a/>")
        tongue = make(world)
        tongue.subscribe()
        assert world.node.quotas.of("joe").subscriptions == 1
        tongue.unsubscribe()
        assert world.node.quotas.of("joe").subscriptions == 0

    def test_messages_that_wait(self, make: Any) -> None:
        world = world_of(QuotaLimits(queue_bytes=1))
        world.connect("mary/1", persistent=True)
        tongue = make(world)
        tongue.send()
        refused(tongue.send)

    def test_histories(self, make: Any) -> None:
        world = world_of(QuotaLimits(history_bytes=1))
        joe = world.client("joe/9")
        joe.subscribe(OID)
        joe.publish(OID, b"<a/>", ONE_TIME)
        joe.publish("other", b"<a/>")
        refused(make(world).publish)

    def test_the_contents_of_an_answer(self, make: Any) -> None:
        world = world_of(QuotaLimits(), max_answer_bytes=3)
        world.client("joe/9").publish(OID, b"<a/>", key=f"<key oid='{OID}' contentMime='application/xml'/>")
        refused(make(world).read)
