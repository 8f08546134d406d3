"""Messages that are followed on their way through the broker."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import pytest

from broker.admin.actions.change import ChangeDesk
from broker.admin.api.tail import tail_operations
from broker.admin.followers import Followers, Principal
from broker.admin.moment import moment
from broker.admin.tails import Selection, TailLimits, Tails
from broker.model.qos import QueueQos
from broker.model.records import AuditQuery
from tests.admin.api.desk import STRANGER, Desk
from tests.admin.test_streams import Output
from tests.net.http.conversation import Connection, request


class Tailed:
    """A broker with a publisher and a receiver."""

    def __init__(self, uid: int | None = 0) -> None:
        self.desk = Desk(uid=uid)
        self.world = self.desk.world
        self.followers = Followers(self.world.clock)
        self.tails = Tails(self.desk.instance, self.followers)
        self.joe = self.world.client("joe/1")
        self.ann = self.world.client("ann/1")
        self.ann.subscribe("news")
        self.permitted = True

    def follow(self, selected: Any = MappingProxyType({}), **limits: Any) -> Output:
        """Follow the topic ``news``."""
        output = Output()
        given = {"seconds": 10, "most": 100, "per_second": 100, **limits}
        selection = Selection(lambda oid, sender, receiver: oid == "news", **selected)
        stream = self.tails.open(Principal("joe", lambda: self.permitted), selection, TailLimits(**given))
        stream.begin(output)
        return output

    def ask(self, query: str) -> int:
        """Status of the answer."""
        channel = self.desk.site(
            tail_operations(self.tails, ChangeDesk(self.desk.instance, self.desk.gate))
        ).buildProtocol(None)
        assert channel is not None
        connection = Connection(channel, self.world.clock)
        connection.send(request(f"/api/v1/tail?{query}"))
        self.world.turn()
        return int(connection.transport.value().split()[1])


def points(output: Output) -> list[str]:
    return [data["point"] for event, data in output.events() if event == "seen"]


def end(output: Output) -> Any:
    return next(data for event, data in output.events() if event == "end")


def test_message_is_seen_at_every_point_of_its_way() -> None:
    tailed = Tailed()
    output = tailed.follow()
    tailed.joe.publish("news", b"abc")
    tailed.joe.publish("other", b"x")
    assert points(output) == ["publish.enter", "update.queue.add", "publish.ack", "update.send", "update.ack"]
    _, first = output.events()[0]
    assert (first["oid"], first["sender"], first["receiver"], first["sizeBytes"]) == ("news", "joe/1", "", 3)
    assert output.events()[1][1]["receiver"] == "ann/1"
    assert "abc" not in output.text


def test_time_of_day_is_told_whatever_the_clock_of_the_reactor_says() -> None:
    tailed = Tailed()
    output = tailed.follow()
    tailed.joe.publish("news", b"abc")
    assert output.events()[0][1]["at"] == moment(int(tailed.desk.instance.wall_clock() * 1000))


def test_message_that_dies_is_seen() -> None:
    tailed = Tailed()
    bob = tailed.world.client("bob/1", answers=False, queue=QueueQos("callback", max_entries=1))
    bob.subscribe("news")
    tailed.joe.publish("news", b"1")
    output = tailed.follow()
    tailed.joe.publish("news", b"2")
    assert "dead" in points(output)


def test_without_a_tail_nothing_is_looked_at() -> None:
    tailed = Tailed()
    output = tailed.follow(seconds=1)
    told = [tailed.world.node.trace is None]
    tailed.world.advance(1)
    told.append(tailed.world.node.trace is None)
    assert told == [False, True]
    assert (end(output)["reason"], output.finished) == ("time", True)


def test_tail_ends_after_so_many_sightings() -> None:
    tailed = Tailed()
    output = tailed.follow(most=2)
    tailed.joe.publish("news", b"x")
    assert end(output) == {"reason": "most", "told": 2, "leftOut": 0}


def test_tail_says_what_it_leaves_out() -> None:
    tailed = Tailed()
    output = tailed.follow(per_second=3)
    for _ in range(2):
        tailed.joe.publish("news", b"x")
    tailed.world.advance(10)
    assert end(output) == {"reason": "time", "told": 3, "leftOut": 7}


def test_tail_ends_when_its_client_may_see_it_no_more() -> None:
    tailed = Tailed()
    output = tailed.follow()
    tailed.permitted = False
    tailed.world.advance(1)
    assert end(output)["reason"] == "right"


def test_all_tails_end_when_administration_stops() -> None:
    tailed = Tailed()
    output = tailed.follow()
    tailed.tails.stop()
    assert (end(output)["reason"], len(tailed.followers)) == ("stopped", 0)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("topic=news", 200),
        ("session=joe/1&points=publish.enter,dead", 200),
        ("subject=joe&seconds=900", 200),
        ("", 400),
        ("topic=a&session=b", 400),
        ("topic=a&session=", 400),
        ("topic=a&points=odd", 400),
        ("topic=a&seconds=901", 400),
        ("topic=a&content=head", 200),
        ("topic=a&content=all", 400),
        ("topic=a&format=checkpoint", 200),
        ("topic=a&stanzas=true", 400),
        ("connection=9", 404),
    ],
)
def test_one_of_topic_session_and_login_name_says_what_is_followed(query: str, status: int) -> None:
    assert Tailed().ask(query) == status


@pytest.mark.parametrize(("query", "seen"), [("session=ann/1", 3), ("subject=joe", 5), ("session=bob/1", 0)])
def test_messages_of_senders_and_receivers_are_followed(query: str, seen: int) -> None:
    tailed = Tailed()
    assert tailed.ask(query) == 200
    (tail,) = tailed.tails._tails.values()
    tailed.joe.publish("news", b"x")
    assert tail.told == seen


def test_tails_are_for_monitoring() -> None:
    assert Tailed(uid=STRANGER).ask("topic=news") == 200
    assert Tailed(uid=None).ask("topic=news") == 401


def test_contents_are_for_administrators_and_their_reading_is_written_down() -> None:
    assert Tailed(uid=STRANGER).ask("topic=news&content=head") == 403
    tailed = Tailed()
    assert tailed.ask("topic=news&content=head") == 200
    row = tailed.world.run(tailed.world.store.read_audit(AuditQuery()))[0]
    assert (row.action, row.target, row.outcome) == ("tail.read", "topic/news", "done")
