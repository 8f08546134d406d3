"""What has happened lately."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.logger import LogLevel

from broker.admin.api.events import event_operations
from broker.admin.event_log import DROPPED, KEPT, PER_SECOND, EventLog, LoggedEvents, kind_of
from broker.core.events import Event, Events
from tests.admin.api.desk import STRANGER, Desk
from tests.net.http.conversation import Received


class Told:
    """A broker whose events are kept."""

    def __init__(self, uid: int | None = 0) -> None:
        self.desk = Desk(uid=uid)
        self.world = self.desk.world
        self.events = self.world.node.events
        self.log = EventLog(self.events)
        self.log.start()

    def ask(self, query: str = "") -> Received:
        return self.desk.ask(event_operations(self.log), f"/api/v1/events{query}")

    def items(self, query: str = "") -> list[Any]:
        items: list[Any] = self.ask(query).json["items"]
        return items

    def types(self) -> list[str]:
        return [each["type"] for each in reversed(self.items())]


def test_life_of_sessions_subscriptions_and_topics_is_told() -> None:
    told = Told()
    joe = told.world.client("joe/1")
    id = joe.subscribe("news").id
    joe.publish("news", b"x")
    joe.unsubscribe(f"__subId:{id}" if not id.startswith("__") else id)
    joe.erase("news")
    joe.disconnect()
    types = told.types()
    for each in (
        "client/joe/session/1/event/connect",
        "client/joe/session/1/event/subscribe",
        "topic/news/event/subscribe",
        "topic/news/event/alive",
        "client/joe/session/1/event/unSubscribe",
        "topic/news/event/unSubscribe",
        "topic/news/event/dead",
        "client/joe/session/1/event/disconnect",
    ):
        assert each in types, types
    order = [types.index(f"client/joe/session/1/event/{each}") for each in ("connect", "subscribe", "disconnect")]
    assert order == sorted(order)


def test_state_of_a_receiver_that_is_given_up_is_dead() -> None:
    told = Told()
    joe = told.world.client("joe/1")
    joe.lose_connection()
    states = [each["fields"]["state"] for each in reversed(told.items("?type=*callbackState"))]
    assert states[0] == "ALIVE"
    assert states[-1] == "DEAD"


def test_events_have_ascending_numbers_and_can_be_asked_for_from_one_on() -> None:
    told = Told()
    for number in range(3):
        told.events.tell("a/event/b", number=number)
    ids = [int(each["id"]) for each in told.items()]
    assert ids == [3, 2, 1]
    assert [each["fields"] for each in told.items("?after=2")] == [{"number": 2}]
    assert len(told.items("?limit=1")) == 1


def test_events_are_filtered_by_their_type() -> None:
    told = Told()
    told.world.client("joe/1")
    told.world.client("ann/1")
    assert {each["type"].split("/")[1] for each in told.items("?type=client/joe/*")} == {"joe"}
    assert told.ask("?type=a*b").status == 400


def test_of_a_burst_the_first_are_kept_and_the_others_counted() -> None:
    told = Told()
    for _ in range(PER_SECOND + 7):
        told.events.tell("client/joe/session/1/event/connect")
        told.events.tell("client/ann/session/1/event/disconnect")
    told.world.advance(1)
    told.events.tell("a/event/b")
    newest = told.items("?limit=3")
    assert [each["type"] for each in newest] == ["a/event/b", DROPPED, DROPPED]
    assert newest[1]["fields"]["count"] == 7
    assert told.ask().json["dropped"] == 14


def test_only_the_last_are_kept() -> None:
    told = Told()
    for number in range(KEPT + 5):
        told.events.tell(f"a/event/{number}")
    assert len(told.log.newest()) == KEPT


@pytest.mark.parametrize(
    ("type", "kind"),
    [("client/joe/session/1/event/connect", "client/connect"), ("logging/warning/broker.core", "logging/")],
)
def test_kind_of_an_event_has_no_names(type: str, kind: str) -> None:
    assert kind_of(type) == kind


def test_listener_that_fails_keeps_nobody_from_hearing() -> None:
    def broken(event: Event) -> None:
        raise ZeroDivisionError

    heard: list[str] = []
    events = Events(lambda: 1.0)
    events.listen(broken)
    events.listen(lambda event: heard.append(event.type))
    events.tell("a/event/b")
    assert heard == ["a/event/b"]


def test_nobody_is_told_once_nobody_listens() -> None:
    events, heard = Events(lambda: 1.0), list[Event]()
    events.listen(heard.append)
    events.forget(heard.append)
    events.tell("a/event/b")
    assert (events.wanted, heard) == (False, [])


@pytest.mark.parametrize(
    ("level", "type"), [(LogLevel.warn, "logging/warning/broker.x"), (LogLevel.error, "logging/severe/broker.x")]
)
def test_warnings_and_errors_of_the_log_are_events(level: Any, type: str) -> None:
    told = Told()
    observer = LoggedEvents(told.events, told.world.clock, lambda: True)
    observer({"log_level": level, "log_namespace": "broker.x", "log_format": "{a} fails", "a": "b"})
    observer({"log_level": LogLevel.info, "log_namespace": "broker.x", "log_format": "nothing"})
    told.world.turn()
    assert [(each["type"], each["fields"]) for each in told.items()] == [(type, {"text": "b fails"})]


def test_events_are_for_monitoring() -> None:
    assert Told(uid=STRANGER).ask().status == 200
    assert Told(uid=None).ask().status == 401
