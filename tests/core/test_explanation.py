"""Why a subscription gets a message, or does not: what is said is what happens."""

from __future__ import annotations

from typing import Any

import pytest

from broker.core.explanation import DeliveryCheck, Step, StepOutcome
from broker.core.subscriptions import Subscription
from broker.model.qos import Overflow, QueueQos
from tests.core.world import Client, World

KEY = "<key oid='news' domain='press'><city>Bern</city></key>"
SQL = "<filter type='Sql92Filter'>colour = 'red'</filter>"
RED = "<qos><clientProperty name='colour'>red</clientProperty></qos>"
BLUE = "<qos><clientProperty name='colour'>blue</clientProperty></qos>"


def subscription_of(client: Client) -> Subscription:
    return list(client.session.subscriptions.values())[-1]


def explain(world: World, joe: Client, oid: str = "news", qos: str = "<qos/>", publisher: Any = None) -> list[Step]:
    """The steps for the last subscription of a client, and a message with a QoS."""
    node = world.node
    envelope = node.envelope(node.codec.read_key(KEY.encode()), node.codec.read_publish_qos(qos.encode()))
    session = None if publisher is None else publisher.session
    return world.broker.explanation.of(subscription_of(joe), oid, node.message(envelope, b"<a/>"), session)


def failed(steps: list[Step]) -> DeliveryCheck | None:
    """The check that fails."""
    return next((step.check for step in steps if step.outcome is StepOutcome.FAIL), None)


def outcome(steps: list[Step], check: DeliveryCheck) -> StepOutcome:
    return next(step.outcome for step in steps if step.check is check)


CASES: list[tuple[str, dict[str, Any], str, DeliveryCheck | None]] = [
    ("<key oid='news'/>", {}, "<qos/>", None),
    ("<key queryType='XPATH'>//city[.='Bern']</key>", {}, "<qos/>", None),
    ("<key queryType='XPATH'>//city[.='Rome']</key>", {}, "<qos/>", DeliveryCheck.QUERY),
    ("<key domain='press' queryType='DOMAIN'/>", {}, "<qos/>", None),
    ("<key domain='sport' queryType='DOMAIN'/>", {}, "<qos/>", DeliveryCheck.QUERY),
    (f"<key oid='news'>{SQL}</key>", {}, RED, None),
    (f"<key oid='news'>{SQL}</key>", {}, BLUE, DeliveryCheck.FILTER),
    (f"<key oid='news'>{SQL}</key>", {}, "<qos/>", DeliveryCheck.FILTER),
    ("<key oid='weather'/>", {}, "<qos/>", DeliveryCheck.QUERY),
    ("<key oid='news'/>", {"queue": QueueQos("callback", max_entries=1)}, "<qos/>", DeliveryCheck.QUEUE),
    (
        "<key oid='news'/>",
        {"queue": QueueQos("callback", max_entries=1, on_overflow=Overflow.DISCARD_OLDEST)},
        "<qos/>",
        None,
    ),
    (
        "<key oid='news'/>",
        {"queue": QueueQos("callback", max_entries=1, on_overflow=Overflow.DISCARD)},
        "<qos/>",
        DeliveryCheck.QUEUE,
    ),
]


@pytest.mark.parametrize(("key", "settings", "qos", "expected"), CASES)
def test_what_is_said_is_what_happens(
    key: str, settings: dict[str, Any], qos: str, expected: DeliveryCheck | None
) -> None:
    world = World()
    ann = world.client("ann", callback=False)
    joe = world.client("joe/1", answers=False, **settings)
    if "queue" in settings:  # one message fills it
        ann.send("joe/1", b"first")
        joe.session.dispatch.set_active(False, "the test")
        joe.session.dispatch._return_taken(failed=False)
    ann.publish("news", b"before", key=KEY)
    joe.subscribe(key=key, qos="<qos><initialUpdate>false</initialUpdate></qos>")

    steps = explain(world, joe, qos=qos)

    assert failed(steps) is expected
    assert list(dict.fromkeys(step.check for step in steps)) == list(DeliveryCheck)
    ann.publish("news", b"<a/>", qos, KEY)
    queued = [entry.message.content for part in joe.session.queue.parts() for entry in part.entries or ()]
    arrived = [*joe.contents, *queued]
    assert (b"<a/>" in arrived) is (expected is None)


def test_explaining_changes_nothing() -> None:
    world = World()
    joe, ann = world.client("joe/1"), world.client("ann", callback=False)
    ann.publish("news", b"x", key=KEY)
    joe.subscribe(key=f"<key oid='news'>{SQL}</key>")
    world.store.commit()
    before = (world.store.position, world.broker.letters.count, joe.session.queue.entries)
    for _ in range(3):
        explain(world, joe, qos=BLUE)
        explain(world, joe, "nothing")
    assert (world.store.position, world.broker.letters.count, joe.session.queue.entries) == before
    assert "nothing" not in world.node.topics


def test_topic_that_there_is_not_is_the_first_reason() -> None:
    world = World()
    joe = world.client("joe")
    joe.subscribe(key="<key queryType='XPATH'>//city</key>")
    steps = explain(world, joe, "nothing")
    assert steps[0] == Step(DeliveryCheck.TOPIC_EXISTS, StepOutcome.FAIL, "there is no topic nothing")
    assert {step.outcome for step in steps[1:]} == {StepOutcome.SKIP}


def test_subscriber_waits_for_the_first_message_of_a_topic() -> None:
    world = World()
    joe = world.client("joe")
    joe.subscribe("news")
    steps = explain(world, joe)
    assert (failed(steps), outcome(steps, DeliveryCheck.KEY_KNOWN)) == (None, StepOutcome.SKIP)


def test_topics_that_cannot_be_searched_are_told() -> None:
    world = World()
    ann, joe = world.client("ann"), world.client("joe")
    ann.publish("news", b"x", "<qos><topic createDomEntry='false'/></qos>", KEY)
    joe.subscribe(key="<key queryType='XPATH'>//city</key>")
    assert failed(explain(world, joe)) is DeliveryCheck.CREATE_DOM_ENTRY


def test_topics_of_the_broker_itself_are_found_by_their_oid_only() -> None:
    world = World()
    watcher, joe = world.client("watcher/1"), world.client("joe")
    watcher.subscribe("__sys__deadMessage")
    joe.subscribe(key="<key queryType='XPATH'>//city</key>")
    world.broker.letters.publish = None
    topic = world.node.topics["__sys__deadMessage"]
    assert failed(explain(world, watcher, topic.oid)) is None
    assert failed(explain(world, joe, topic.oid)) in (DeliveryCheck.KEY_KNOWN, DeliveryCheck.INTERNAL_TOPIC)


def test_own_messages_are_told_where_they_are_not_wanted() -> None:
    world = World()
    joe, ann = world.client("joe"), world.client("ann")
    joe.subscribe("news", "<qos><local>false</local></qos>")
    assert failed(explain(world, joe, publisher=joe)) is DeliveryCheck.LOCAL
    assert failed(explain(world, joe, publisher=ann)) is None


def test_second_subscription_of_a_session_that_wants_nothing_twice_gets_nothing() -> None:
    world = World()
    world.client("ann").publish("news", b"x", key=KEY)
    joe = world.client("joe", duplicate_updates=False)
    joe.subscribe("news")
    joe.subscribe(key="<key queryType='XPATH'>//city</key>")
    steps = explain(world, joe)
    assert failed(steps) is DeliveryCheck.DUPLICATE_UPDATES
    first = next(iter(joe.session.subscriptions))
    assert first in steps[-3].detail


def test_subscription_that_was_not_asked_for_want_of_time_is_told() -> None:
    world = World()
    joe, ann = world.client("joe"), world.client("ann")
    joe.subscribe(key="<key queryType='XPATH'>//city</key>")
    ann.publish("news", b"x", key=KEY)
    topic, subscription = world.node.topics["news"], subscription_of(joe)
    topic.unsubscribe(subscription)
    assert failed(explain(world, joe)) is DeliveryCheck.XPATH_BUDGET


def test_each_filter_has_a_step_with_its_time() -> None:
    world = World()
    joe = world.client("joe")
    joe.subscribe(key=f"<key oid='news'><filter type='ContentLenFilter'>10</filter>{SQL}</key>")
    steps = [step for step in explain(world, joe, qos=BLUE) if step.check is DeliveryCheck.FILTER]
    assert [step.outcome for step in steps] == [StepOutcome.PASS, StepOutcome.FAIL]
    assert all(step.microseconds is not None for step in steps)
    assert steps[1].detail == "Sql92Filter: colour = 'red'"


def test_filters_are_not_asked_about_no_message() -> None:
    world = World()
    joe = world.client("joe")
    joe.subscribe(key=f"<key oid='news'>{SQL}</key>")
    steps = world.broker.explanation.of(subscription_of(joe), "news")
    assert (failed(steps), outcome(steps, DeliveryCheck.FILTER)) == (None, StepOutcome.SKIP)
