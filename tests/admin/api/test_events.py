"""What has happened lately."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.logger import LogLevel

from broker.admin.api.events import event_operations, write_event
from broker.admin.bursts import DROPPED, PER_SECOND, kind_of
from broker.admin.event_followers import EventFollowers
from broker.admin.event_log import KEPT, EventLog, LoggedEvents
from broker.admin.findings.alarms import Alarm, tell_alarm
from broker.admin.findings.conditions import CERTIFICATE_EXPIRES, STORE_FAILING
from broker.admin.findings.finding import Finding, Severity
from broker.admin.followers import MAX_STREAMS, MAX_STREAMS_OF_ONE, Followers, Principal
from broker.core.events import Event, Events
from broker.errors import BrokerError
from tests.admin.api.desk import STRANGER, Desk
from tests.admin.test_streams import Output
from tests.net.http.conversation import Received


class Told:
    """A broker whose events are kept."""

    def __init__(self, uid: int | None = 0) -> None:
        self.desk = Desk(uid=uid)
        self.world = self.desk.world
        self.events = self.world.node.events
        self.log = EventLog(self.events)
        self.log.start()
        self.all = Followers(self.world.clock)
        self.followers = EventFollowers(self.log, self.all, write_event)

    def ask(self, query: str = "") -> Received:
        return self.desk.ask(event_operations(self.log, self.followers, self.desk.gate), f"/api/v1/events{query}")

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


def test_number_of_those_that_were_dropped_is_told_though_nothing_comes_after_them() -> None:
    told = Told()
    for _ in range(PER_SECOND + 7):
        told.events.tell("a/event/b")
    told.world.advance(1)
    assert [each["fields"] for each in told.items("?type=events/*")] == [{"kind": "a/b", "count": 7}]


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


class Followed(Told):
    """A broker whose events are followed."""

    def __init__(self) -> None:
        super().__init__()
        self.permitted = True

    def follow(self, principal: str = "joe", after: int | None = None) -> Output:
        """Follow those that begin with ``a/``."""
        output = Output()
        stream = self.followers.open(
            Principal(principal, lambda: self.permitted), lambda kept: kept.event.type.startswith("a/"), after
        )
        stream.begin(output)
        return output


def heard(output: Output) -> list[str]:
    return [data["type"] if event == "event" else event for event, data in output.events()]


def test_who_follows_is_told_of_what_is_wanted_as_it_comes() -> None:
    followed = Followed()
    followed.events.tell("a/event/before")
    output = followed.follow()
    followed.events.tell("a/event/1")
    followed.events.tell("b/event/2")
    assert heard(output) == ["a/event/1"]
    assert "id: 2\n" in output.text


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (0, ["a/event/0", "a/event/1", "a/event/2"]),
        (2, ["a/event/2"]),
        (3, []),
        (99, ["reset", "a/event/0", "a/event/1", "a/event/2"]),
    ],
)
def test_who_comes_back_gets_what_came_meanwhile(after: int, expected: list[str]) -> None:
    followed = Followed()
    for number in range(3):
        followed.events.tell(f"a/event/{number}")
    assert heard(followed.follow(after=after)) == expected


def test_stream_ends_when_its_client_may_see_it_no_more() -> None:
    followed = Followed()
    output = followed.follow()
    followed.permitted = False
    followed.world.advance(1)
    assert output.finished
    assert len(followed.all) == 0


def test_streams_of_one_and_of_all_are_limited() -> None:
    followed = Followed()
    for number in range(MAX_STREAMS):
        followed.follow(f"user{number // MAX_STREAMS_OF_ONE}")
    for principal in ("user0", "new"):
        with pytest.raises(BrokerError, match="at most"):
            followed.follow(principal)
    followed.all.stop()
    assert len(followed.all) == 0


def test_names_and_texts_that_clients_make_up_are_cut() -> None:
    told = Told()
    told.events.of_topic("o" * 60_000, "alive", reason="r" * 60_000)
    (kept,) = told.log.newest()
    assert kept.event.type.startswith("topic/ooo")
    assert kept.event.type.endswith("…/event/alive")
    assert len(kept.event.type) < 500
    assert len(str(kept.event.fields["reason"])) == 1000


def test_name_that_looks_like_a_kind_of_event_is_a_name() -> None:
    assert kind_of("topic/a/event/b/event/alive") == kind_of("topic/a/event/alive") == "topic/alive"
    assert kind_of("logging/warning/broker.core") == "logging/"


@pytest.mark.parametrize(
    ("code", "raised", "types"),
    [
        ("queuesStuck", True, ["alarm/event/raised"]),
        (STORE_FAILING, True, ["alarm/event/raised", "store/event/failing"]),
        (STORE_FAILING, False, ["alarm/event/cleared", "store/event/works"]),
        (CERTIFICATE_EXPIRES, True, ["alarm/event/raised", "tls/event/expires"]),
        (CERTIFICATE_EXPIRES, False, ["alarm/event/cleared"]),
    ],
)
def test_alarms_are_events(code: str, raised: bool, types: list[str]) -> None:
    told = Told()
    evidence: dict[str, int | float | str] = {"listener": "SOCKET", "daysLeft": 3.5}
    finding = Finding(code, Severity.WARNING, "it is so", "", "", evidence, "", "")
    tell_alarm(told.events, Alarm(finding, 0), raised)
    assert told.types() == types
    if "tls/event/expires" in types:
        assert told.items("?type=tls/*")[0]["fields"] == evidence
