"""What a program may expect of the client, from the double and from a real broker alike."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from broker.client import ConnectOptions, PublishOptions, State, SubscribeOptions, Update
from broker.errors import BrokerError, Code
from tests.client.faces import Memory, Real

JOE = ConnectOptions("joe", "secret")
JACK = ConnectOptions("jack", "secret")


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Real]:
    made = Real(tmp_path_factory.mktemp("real"))
    yield made
    made.close()


@pytest.fixture(params=["memory", pytest.param("real", marks=pytest.mark.system)])
def face(request: pytest.FixtureRequest) -> Iterator[Memory | Real]:
    made: Memory | Real = Memory() if request.param == "memory" else request.getfixturevalue("real")
    yield made
    made.clear()


def test_subscriber_gets_what_is_published(face: Memory | Real) -> None:
    joe, jack = face.client(JOE), face.client(JACK)
    arrived: list[Update] = []
    subscribed = face.run(joe.subscribe("weather", callback=arrived.append))
    published = face.run(jack.publish("weather", "sunny", PublishOptions(properties={"degrees": 21})))
    face.settle(arrived, 1)
    (update,) = arrived
    assert (update.oid, update.text, update.sender) == ("weather", "sunny", jack.name)
    assert update.received == published.received
    assert update.subscription_id == subscribed.id
    assert update.properties == {"degrees": 21}
    assert not (update.initial or update.erased or update.redelivered)


def test_new_subscriber_begins_with_the_past_as_far_as_it_asks(face: Memory | Real) -> None:
    joe = face.client(JOE)
    for text in ("1", "2", "3"):
        face.run(joe.publish("numbers", text))
    arrived: list[Update] = []
    face.run(joe.subscribe("numbers", callback=arrived.append, options=SubscribeOptions(history=2)))
    face.settle(arrived, 2)
    assert {update.text for update in arrived} == {"2", "3"}


def test_query_matches_topics_that_come_later(face: Memory | Real) -> None:
    joe = face.client(JOE)
    arrived: list[Update] = []
    face.run(joe.subscribe(xpath="//key[starts-with(@oid,'radar.')]", callback=arrived.append))
    face.run(joe.publish("radar.1", "blip"))
    face.run(joe.publish("sonar.1", "ping"))
    face.settle(arrived, 1)
    assert [update.oid for update in arrived] == ["radar.1"]


def test_message_to_somebody_reaches_nobody_else(face: Memory | Real) -> None:
    got: list[Update] = []
    missed: list[Update] = []
    face.client(JACK, on_update=got.append)
    joe = face.client(JOE, on_update=missed.append)
    face.run(joe.publish("note", "hello", PublishOptions(to=("jack",), subscribable=False)))
    face.settle(got, 1)
    assert [update.text for update in got] == ["hello"]
    assert missed == []


def test_message_to_nobody_is_an_error(face: Memory | Real) -> None:
    joe = face.client(JOE)
    with pytest.raises(BrokerError) as raised:
        face.run(joe.publish("note", "hello", PublishOptions(to=("nobody",), subscribable=False)))
    assert raised.value.code == Code.USER_PTP_UNKNOWN_DESTINATION


def test_a_callback_that_fails_costs_its_own_message_only(face: Memory | Real) -> None:
    def fail(update: Update) -> None:
        raise ValueError(update.text)

    joe, jack = face.client(JOE), face.client(JACK)
    arrived: list[Update] = []
    face.run(joe.subscribe("a", callback=fail))
    face.run(joe.subscribe("b", callback=arrived.append))
    assert face.run(jack.publish("a", "1")).state == "OK"
    assert face.run(jack.publish("b", "2")).state == "OK"
    face.settle(arrived, 1)
    assert [update.text for update in arrived] == ["2"]


def test_newest_messages_can_be_read(face: Memory | Real) -> None:
    joe = face.client(JOE)
    face.run(joe.publish_many([("a", "1"), ("a", "2")]))
    assert [update.text for update in face.run(joe.get("a"))] == ["2"]
    assert [update.text for update in face.run(joe.get("a", options=SubscribeOptions(history=-1)))] == ["2", "1"]
    assert face.run(joe.get("nothing")) == []


def test_subscriber_is_told_of_an_erased_topic(face: Memory | Real) -> None:
    joe = face.client(JOE)
    face.run(joe.publish("a", "1"))
    arrived: list[Update] = []
    face.run(joe.subscribe("a", callback=arrived.append, options=SubscribeOptions(history=0)))
    assert face.run(joe.erase("a")) == ["a"]
    face.settle(arrived, 1)
    assert [update.erased for update in arrived] == [True]


def test_subscription_ends_when_asked(face: Memory | Real) -> None:
    joe = face.client(JOE)
    arrived: list[Update] = []
    subscribed = face.run(joe.subscribe("a", callback=arrived.append))
    assert face.run(joe.unsubscribe(subscription_id=subscribed.id)) == 1
    face.run(joe.publish("a", "1"))
    assert face.run(joe.ping()) == "OK"
    assert arrived == []


def test_every_text_of_a_property_comes_back(face: Memory | Real) -> None:
    joe = face.client(JOE)
    texts = {"plain": "a", "marks": "<&|]]>", "controls": "\x01\r\n\x1b", "blank": " "}
    face.run(joe.publish("a", "1", PublishOptions(properties=texts)))
    (update,) = face.run(joe.get("a"))
    assert {name: update.properties[name] for name in texts} == texts


@pytest.mark.parametrize(
    ("oid", "options"),
    [
        ("a\x01b", PublishOptions()),
        ("a", PublishOptions(mime="text/\x02")),
        ("a", PublishOptions(domain="\ufffe")),
        ("a", PublishOptions(to=("jack\x00",))),
        ("a", PublishOptions(properties={"n\x0b": "1"})),
    ],
)
def test_names_that_would_arrive_as_others_are_refused(face: Memory | Real, oid: str, options: PublishOptions) -> None:
    joe = face.client(JOE)
    with pytest.raises(BrokerError) as raised:
        face.run(joe.publish(oid, "1", options))
    assert raised.value.code == Code.USER_ILLEGAL_ARGUMENT
    with pytest.raises(BrokerError) as asked:
        face.run(joe.get("a\x01b"))
    assert asked.value.code == Code.USER_ILLEGAL_ARGUMENT


def test_nothing_works_after_the_end(face: Memory | Real) -> None:
    joe = face.client(JOE)
    face.run(joe.disconnect())
    assert joe.state is State.DEAD
    with pytest.raises(BrokerError) as raised:
        face.run(joe.publish("a", "1"))
    assert raised.value.code == Code.USER_NOT_CONNECTED
