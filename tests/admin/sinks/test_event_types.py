"""Types of events, as a configuration chooses them."""

from __future__ import annotations

import pytest

from broker.admin.sinks.event_types import DAY, read_event_types


@pytest.mark.parametrize(
    ("chosen", "type"),
    [
        ("client/joe/session/1/event/connect", "client/joe/session/1/event/connect"),
        ("client/*/session/*/event/callbackState", "client/joe/session/-3/event/callbackState"),
        ("client/*/session/*/event/*", "client/joe/session/1/event/remoteProperties"),
        ("logging/error/*", "logging/severe/broker.core"),
        ("logging/warn/*", "logging/warning/broker.core"),
        ("service/RunlevelManager/event/startupRunlevel9", "service/RunlevelManager/event/startupRunlevel9"),
        ("topic/*/event/alive", "topic/a/b/event/alive"),
        ("topicStartsWith/com.acme/event/subscribe", "topic/com.acme.news/event/subscribe"),
        ("topic/news/queue/history/event/threshold.90%", "topic/news/queue/history/event/threshold.90%"),
        ("store/event/failing, tls/event/*", "tls/event/expires"),
        ("*", "anything/event/at all"),
    ],
)
def test_type_is_matched(chosen: str, type: str) -> None:
    assert read_event_types(chosen).match(type)


@pytest.mark.parametrize(
    ("chosen", "type"),
    [
        ("client/joe/session/1/event/connect", "client/joe/session/11/event/connect"),
        ("topicStartsWith/com.acme/event/subscribe", "topic/com.other/event/subscribe"),
        ("topic/a.b/event/alive", "topic/axb/event/alive"),
        ("", "client/joe/session/1/event/connect"),
    ],
)
def test_other_type_is_not_matched(chosen: str, type: str) -> None:
    assert not read_event_types(chosen).match(type)


@pytest.mark.parametrize(
    "chosen",
    ["client/*/session/*/event/conect", "topic/x/event/born", "heartbeat.5", "nonsense", "a/event/threshold.x"],
)
def test_type_that_nothing_can_match_is_refused(chosen: str) -> None:
    with pytest.raises(ValueError, match=r"no events|at least"):
        read_event_types(chosen)


def test_heartbeats_come_once_a_day_unless_their_type_says_how_often() -> None:
    assert read_event_types("heartbeat,heartbeat.5000").heartbeats == (DAY, 5000)


def test_marks_are_those_of_the_queues_that_are_named() -> None:
    (wanted,) = read_event_types("client/*/session/*/queue/callback/event/threshold.90%").thresholds
    assert str(wanted.mark) == "90%"
    assert wanted.queues.fullmatch("client/joe/session/1/queue/callback")
    assert not wanted.queues.fullmatch("client/joe/queue/subject")


def test_store_of_messages_that_each_topic_has_elsewhere_is_not_here() -> None:
    types = read_event_types("topic/x/persistence/msgUnitStore/event/threshold.90%")
    assert types.ignored == ("topic/x/persistence/msgUnitStore/event/threshold.90%",)
