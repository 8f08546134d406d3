"""``/history``."""

from __future__ import annotations

from broker.admin.api.history import MOST_SECONDS, NAMES, history_operations
from broker.admin.history import History
from broker.admin.history_series import HISTORY_SERIES
from broker.admin.metrics.sources import Sources
from tests.admin.api.desk import Desk
from tests.admin.metrics.readings import Readings
from tests.net.http.conversation import Received


class Past:
    """The history of a desk's broker."""

    def __init__(self, desk: Desk | None = None) -> None:
        self.readings = Readings(desk)
        self.history: History[Sources] = History(HISTORY_SERIES, self.readings.sources, self.readings.desk.world.clock)
        self.history.start()

    def pass_seconds(self, number: int) -> None:
        for _ in range(number):
            self.readings.desk.world.advance(1)

    def ask(self, query: str) -> Received:
        return self.readings.desk.ask(history_operations(self.history), f"/api/v1/history?{query}")


def test_messages_that_are_published_are_seen_second_by_second() -> None:
    past = Past()
    client = past.readings.desk.world.client("joe")
    for _ in range(3):
        client.publish("news", b"x")
    past.pass_seconds(2)

    told = past.ask("series=publishedPerSecond,nativePublishedPerSecond,xmppPublishedPerSecond&seconds=2").json

    assert told["stepSeconds"] == 1
    assert told["series"]["publishedPerSecond"] == told["series"]["nativePublishedPerSecond"] == [3, 0]
    assert told["series"]["xmppPublishedPerSecond"] == [0, 0]
    assert told["asOf"].endswith("Z")


def test_everything_is_told_to_who_names_nothing_and_each_series_has_a_value() -> None:
    past = Past()
    past.readings.desk.world.client("joe")
    past.readings.count()
    past.pass_seconds(1)

    told = past.ask("seconds=1").json["series"]

    assert set(told) == set(NAMES)
    assert len(NAMES) == 40
    empty = {name for name, values in told.items() if values == [None]}
    assert empty <= {"commitSeconds", "reactorLagSeconds"}  # means of nothing


def test_what_is_counted_is_a_gap_until_it_was_counted() -> None:
    past = Past()
    past.pass_seconds(1)
    assert past.ask("series=callbackEntries&seconds=1").json["series"] == {"callbackEntries": [None]}


def test_nothing_is_as_of_any_time_before_the_first_look() -> None:
    assert "asOf" not in Past().ask("").json


def test_unknown_series_is_refused_and_the_nearest_is_named() -> None:
    answer = Past().ask("series=publishdPerSecond")

    assert answer.status == 400
    assert "publishedPerSecond" in answer.json["detail"]


def test_more_than_is_kept_is_refused() -> None:
    past = Past()
    assert past.ask(f"seconds={MOST_SECONDS}").status == 200
    assert past.ask(f"seconds={MOST_SECONDS + 1}").status == past.ask("points=0").status == 400
