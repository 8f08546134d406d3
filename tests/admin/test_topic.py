"""Attributes of topics and subscriptions (spec xmlblaster §16.1)."""

from __future__ import annotations

import pytest

from broker.errors import BrokerError, Code
from tests.admin.office import BOSS, Office


def test_what_a_topic_is() -> None:
    office = Office({"admin.users": "joe"})
    joe = office.client("joe/1")
    joe.publish("a", b"x", key="<key oid='a' contentMime='text/xml' contentMimeExtended='2.0'><b/></key>")
    joe.subscribe("a")
    expected = {
        "id": "a",
        "uniqueKey": "a",
        "topicXml": "<key oid='a' contentMime='text/xml' contentMimeExtended='2.0'><b/></key>",
        "contentMime": "text/xml",
        "contentMimeExtended": "2.0",
        "stateStr": "ALIVE",
        "domTreeExists": "true",
        "numSubscribers": "1",
        "exactSubscribersExist": "true",
        "subscribers": "client/joe/1",
        "numOfHistoryEntries": "1",
        "numOfCacheEntries": "1",
        "destroyDelay": "60000",
    }
    assert {name: office.get(joe, f"topic/a/?{name}") for name in expected} == expected


def test_topic_that_nobody_published_on() -> None:
    office = Office()
    joe = office.client("joe/1")
    joe.subscribe("a")
    assert office.get(joe, "topic/a/?stateStr") == "UNCONFIGURED"
    assert office.get(joe, "topic/a/?contentMime") == ""


def test_own_destroy_delay_is_told() -> None:
    office = Office()
    joe = office.client("joe")
    joe.publish("a", qos="<qos><topic destroyDelay='7'/></qos>")
    assert office.get(joe, "topic/a/?destroyDelay") == "7"


def test_history_is_cleared() -> None:
    office = Office(BOSS)
    boss = office.client("boss")
    boss.publish("a", b"1")
    boss.publish("a", b"2")
    assert office.get(boss, "topic/a/?clearHistoryQueue") == "2"
    assert boss.get("a") == []
    assert office.get(boss, "topic/a/?stateStr") == "UNREFERENCED"


def test_topic_is_erased_and_subscribers_are_told() -> None:
    office = Office(BOSS)
    boss, joe = office.client("boss/1"), office.client("joe/1")
    joe.subscribe("a")
    joe.publish("a", b"1")
    office.set(boss, "topic/a/?eraseTopic")
    office.world.turn()
    assert "a" not in office.world.node.topics
    event = joe.outbound.entries[-1].message
    assert (event.qos.state, event.qos.sender) == ("ERASED", "/node/heron/client/boss/1")


def test_all_subscriptions_by_name_are_ended() -> None:
    office = Office(BOSS)
    boss, joe, jack = office.client("boss"), office.client("joe/1"), office.client("jack/1")
    joe.subscribe("a")
    jack.subscribe("a")
    joe.publish("a")
    assert office.get(boss, "topic/a/?unSubscribeAll") == "2"
    assert office.get(boss, "topic/a/?numSubscribers") == "0"


@pytest.mark.parametrize(("name", "left"), [("joe", "client/jack/1"), ("client/joe/2", "client/jack/1,client/joe/1")])
def test_subscriptions_of_a_client_or_session_are_ended(name: str, left: str) -> None:
    office = Office(BOSS)
    boss = office.client("boss")
    for session in ("joe/1", "joe/2", "jack/1"):
        office.client(session).subscribe("a")
    office.set(boss, f"topic/a/?unSubscribeBySessionName={name}")
    assert office.get(boss, "topic/a/?subscribers") == left


def test_unknown_topic_is_told() -> None:
    office = Office()
    with pytest.raises(BrokerError, match="there is no topic/a") as raised:
        office.get(office.client("joe"), "topic/a/?stateStr")
    assert raised.value.code == Code.USER_ILLEGAL_ARGUMENT


class TestSubscription:
    def test_what_it_is(self) -> None:
        office = Office()
        joe = office.client("joe/1")
        joe.publish("a", key="<key oid='a' domain='d'/>")
        id = joe.subscribe(
            key="<key queryType='DOMAIN' domain='d'/>", qos="<qos><filter type='ContentLenFilter'>9</filter></qos>"
        ).id
        expected = {
            "id": id,
            "sessionName": "/node/heron/client/joe/1",
            "topicId": "a",
            "query": "domain:d",
            "subscribeKeyStr": "<key queryType='DOMAIN' domain='d'/>",
            "accessFilters": "ContentLenFilter:9",
            "persistent": "false",
            "creationTimestamp": "1970-01-12 13:46:40Z",
        }
        assert {name: office.get(joe, f"subscription/{id}/?{name}") for name in expected} == expected
        assert "ContentLenFilter" in office.get(joe, f"subscription/{id}/?subscribeQosStr")

    def test_is_ended(self) -> None:
        office = Office(BOSS)
        joe = office.client("joe/1")
        id = joe.subscribe("a").id
        office.set(office.client("boss"), f"subscription/{id}/?unSubscribe")
        assert joe.session.subscriptions == {}


def test_subscriber_is_ended_by_its_place() -> None:
    office = Office(BOSS)
    boss = office.client("boss")
    clients = [office.client(name) for name in ("joe/1", "jack/1")]
    ids = [client.subscribe("a").id for client in clients]
    assert office.get(boss, "topic/a/?unSubscribeByIndex=0") == ids[0]
    boss.publish("a", b"x")
    assert [client.contents for client in clients] == [[], [b"x"]]
