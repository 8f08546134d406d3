"""Dead messages over HTTP: what there is, and sending them again."""

from __future__ import annotations

from typing import Any

import pytest

from broker.admin.roles import SocketRole
from broker.core.message import Message
from broker.errors import BrokerError, Code
from tests.admin.api.desk import STRANGER, Desk
from tests.admin.api.office import ChangeOffice
from tests.core.world import Client

POISON = BrokerError(Code.USER_UPDATE_ERROR, "I cannot read that")
ALL = {"all": True}


class Morgue(ChangeOffice):
    """joe/1 has refused three messages, and took the session of bob/1 its end with one.

    Args:
        desk: of the broker.
    """

    def __init__(self, desk: Desk | None = None) -> None:
        super().__init__(desk)
        self.joe = self.world.client("joe/1", answers=False, persistent=True)
        self.joe.subscribe("news")
        for number in range(3):
            self.refuse(self.joe, b"%d" % number)
        bob = self.world.client("bob/1", answers=False)
        bob.subscribe("weather")
        self.world.client("ann/1", callback=False).publish("weather", b"rain", "<qos><persistent/></qos>")
        self.post("sessions/bob/1/end", {"queue": "dead"})
        self.joe.outbound.answers = True
        self.joe.outbound.bulks.clear()

    def refuse(self, client: Client, content: bytes, qos: str = "<qos><persistent/></qos>") -> None:
        """A client refuses a message."""
        self.world.client("ann/1", callback=False).publish("news", content, qos)
        client.session.dispatch.refused(POISON)
        self.world.turn()

    def items(self, query: str = "") -> list[Any]:
        """Dead messages."""
        answer = self.ask(f"dead-messages{query}")
        assert answer.status == 200, answer.body
        items = answer.json["items"]
        assert isinstance(items, list)
        return items

    def replay(self, **body: Any) -> Any:
        """Send dead messages again."""
        answer = self.post("dead-messages/replay", body)
        assert answer.status == 200, answer.body
        return answer.json


def test_dead_message_is_told_with_its_reason_and_content() -> None:
    morgue = Morgue()
    (row,) = morgue.items("?oid=news&q=cannot&limit=1&reasonGroup=refusedByClient&receiver=*joe/1")[:1]
    assert (row["oid"], row["receiver"], row["reasonGroup"]) == ("news", "/node/heron/client/joe/1", "refusedByClient")
    assert row["reason"] == {"code": "user.update.error", "text": "I cannot read that"}
    assert row["content"] == {"bytes": 1, "text": "2"}
    assert row["key"] == "<key oid='news'/>"
    assert morgue.ask(f"dead-messages/{row['id']}").json == row


@pytest.mark.parametrize(
    ("query", "contents"),
    [
        ("", ["rain", "2", "1", "0"]),
        ("?oid=weather", ["rain"]),
        ("?reasonGroup=overflow", []),
        ("?limit=2", ["rain", "2"]),
        ("?volatile=true", []),
    ],
)
def test_dead_messages_are_filtered_newest_first(query: str, contents: list[str]) -> None:
    assert [row["content"]["text"] for row in Morgue().items(query)] == contents


def test_cursor_leads_to_the_next_page() -> None:
    morgue = Morgue()
    first = morgue.ask("dead-messages?limit=3").json
    second = morgue.ask(f"dead-messages?limit=3&cursor={first['page']['next']}").json
    assert [len(page["items"]) for page in (first, second)] == [3, 1]
    assert "next" not in second["page"]


def test_message_that_was_not_kept_is_told_as_such() -> None:
    morgue = Morgue()
    morgue.joe.outbound.answers = False
    morgue.refuse(morgue.joe, b"volatile", "<qos/>")
    row = morgue.items()[0]
    assert (row["volatile"], row["oid"], row["sizeBytes"], "content" in row) == (True, "news", 8, False)
    assert [each["id"] for each in morgue.items("?volatile=true")] == [row["id"]]


def test_dead_messages_are_counted_in_groups() -> None:
    morgue = Morgue()
    told = morgue.ask("dead-messages/count?groupBy=reasonGroup,oid").json
    assert (told["total"], told["complete"]) == (4, True)
    assert told["groups"] == [
        {"count": 3, "reasonGroup": "refusedByClient", "oid": "news"},
        {"count": 1, "reasonGroup": "receiverGone", "oid": "weather"},
    ]
    assert morgue.ask("dead-messages/count?oid=news").json["total"] == 3
    assert morgue.ask("dead-messages/count?groupBy=colour").status == 400


def test_reading_of_contents_is_written_down_before_they_are_told() -> None:
    morgue = Morgue()
    before = len(morgue.rows())
    morgue.items("?contentBytes=0")
    assert len(morgue.rows()) == before
    morgue.items("?limit=1")
    assert (morgue.rows()[0].action, morgue.rows()[0].outcome) == ("deadMessage.read", "done")
    morgue.world.store.fail(BrokerError(Code.RESOURCE_DB_UNAVAILABLE, "the disk is full"))
    assert morgue.ask("dead-messages?limit=1").status == 503


def test_monitoring_is_told_no_contents() -> None:
    office = Morgue()
    desk = Desk(office.world, uid=STRANGER)
    asking = ChangeOffice(desk)
    answer = asking.ask("dead-messages?oid=weather")
    assert not {"content", "key", "qos"} & set(answer.json["items"][0])
    assert b"rain" not in answer.body


def test_messages_are_sent_to_their_receiver_again_in_order() -> None:
    morgue = Morgue()
    answer = morgue.replay(select={"receiver": "*/joe/1"}, reason="it is mended")
    assert answer == {"done": 3, "failed": 0, "replayedTooOften": 0}
    morgue.world.turn(100)
    assert morgue.joe.contents == [b"0", b"1", b"2"]
    assert (morgue.rows()[0].action, morgue.rows()[0].reason) == ("deadMessage.replay", "it is mended")
    assert [row["oid"] for row in morgue.items()] == ["weather"]


def test_message_whose_receiver_is_gone_stays_and_can_be_sent_elsewhere() -> None:
    morgue = Morgue()
    answer = morgue.replay(select={"oid": "weather"})
    assert (answer["done"], answer["failed"]) == (0, 1)
    assert "there is no session" in answer["stays"][0]["reason"]
    assert morgue.replay(select={"oid": "weather"}, to={"subject": "carl"})["done"] == 1
    assert morgue.world.client("carl").contents == [b"rain"]
    assert morgue.replay(select={"oid": "news"}, to={"session": "joe/1"})["done"] == 3


def test_messages_are_published_on_their_topic_again() -> None:
    morgue = Morgue()
    carl = morgue.world.client("carl")
    carl.subscribe("weather")
    morgue.world.turn()
    before = len(carl.contents)
    assert morgue.replay(select={"oid": "weather"}, to="topic")["done"] == 1
    morgue.world.turn()
    assert carl.contents[before:] == [b"rain"]


def test_dry_run_sends_nothing() -> None:
    morgue = Morgue()
    told = morgue.replay(select=ALL, dryRun=True)
    assert (told["done"], told["failed"], told["dryRun"]) == (3, 1, True)
    assert [each["id"] for each in told["stays"]] == [morgue.items()[0]["id"]]
    assert len(morgue.items()) == 4


def test_message_that_dies_again_and_again_is_sent_a_fourth_time_by_force_only() -> None:
    morgue = Morgue()
    morgue.joe.outbound.answers = False
    for _ in range(3):
        assert morgue.replay(select={"receiver": "*/joe/1"})["done"] == 3
        for _ in range(3):
            morgue.joe.session.dispatch.refused(POISON)
            morgue.world.turn()
    assert [row["replays"] for row in morgue.items("?oid=news")] == [3, 3, 3]

    assert morgue.replay(select={"oid": "news"}) == {"done": 0, "failed": 0, "replayedTooOften": 3}
    assert morgue.replay(select={"oid": "news"}, force=True)["done"] == 3


def test_messages_are_exported_as_a_script_that_publishes_them() -> None:
    morgue = Morgue()
    told = morgue.post("dead-messages/export", {"select": {"oid": "weather"}}).json
    assert told["count"] == 1
    assert told["script"].startswith("<xmlBlaster>\n <publish>\n<qos>")
    assert "<key oid='weather'/>\n<content>rain</content>\n </publish>\n</xmlBlaster>" in told["script"]
    assert len(morgue.items()) == 4


def test_dead_message_is_deleted_and_all_are_purged_where_that_is_confirmed() -> None:
    morgue = Morgue()
    id = morgue.items()[0]["id"]
    assert morgue.ask(f"dead-messages/{id}", "DELETE").json == {"done": 1}
    assert morgue.ask(f"dead-messages/{id}", "DELETE").status == 404
    assert morgue.post("dead-messages/purge", {"confirm": "yes"}).status == 400
    assert morgue.post("dead-messages/purge", {"confirm": "dead"}).json == {"done": 3}
    assert morgue.items() == []


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"select": {}}, "/select"),
        ({"select": {"all": True, "oid": "x"}}, "/select"),
        ({"select": {"ids": ["x"]}}, "/select/ids"),
        ({"select": {"reasonGroup": "odd"}}, "/select/reasonGroup"),
        ({"select": ALL, "to": "heaven"}, "/to"),
        ({"select": ALL, "to": {}}, "/to"),
        ({"select": ALL, "ratePerSecond": 0}, "/ratePerSecond"),
    ],
)
def test_body_that_cannot_be_used_is_refused(body: object, pointer: str) -> None:
    answer = Morgue().post("dead-messages/replay", body)
    assert (answer.status, answer.json["errors"][0]["pointer"]) == (400, pointer)


def test_operator_replays_and_administrator_deletes() -> None:
    world = Morgue().world
    operator = ChangeOffice(Desk(world, uid=STRANGER, role=SocketRole.OPERATOR))
    assert operator.post("dead-messages/replay", {"select": {"oid": "news"}}).json["done"] == 3
    assert operator.post("dead-messages/purge", {"confirm": "dead"}).status == 403
    assert ChangeOffice(Desk(world, uid=STRANGER)).post("dead-messages/replay", {"select": ALL}).status == 403


@pytest.mark.parametrize("id", ["1", "x", "-1"])
def test_dead_message_that_there_is_not_is_not_found(id: str) -> None:
    assert Morgue().ask(f"dead-messages/{id}").status == 404


@pytest.mark.parametrize("to", [{"subject": "ghost"}, {"session": "ghost/1"}, "topic", "receiver"])
def test_dry_run_of_a_replay_makes_no_login_name_and_no_topic(to: object) -> None:
    morgue = Morgue()
    node = morgue.world.node
    del node.topics["weather"]
    before = set(node.subjects), set(node.topics)
    morgue.replay(select=ALL, to=to, dryRun=True)
    assert (set(node.subjects), set(node.topics)) == before


def test_login_name_that_no_dead_message_could_be_sent_to_is_not_kept() -> None:
    morgue = Morgue()
    morgue.world.node.content_checks.append(refuse_all)
    told = morgue.replay(select=ALL, to={"subject": "ghost"})
    assert (told["done"], told["failed"], "ghost" in morgue.world.node.subjects) == (0, 4, False)


def refuse_all(message: Message) -> None:
    raise POISON


def test_replay_that_takes_long_goes_on_as_an_operation_that_can_be_stopped() -> None:
    morgue = Morgue()
    for number in range(8):
        morgue.joe.outbound.answers = False
        morgue.refuse(morgue.joe, b"more %d" % number)
    answer = morgue.post("dead-messages/replay", {"select": ALL, "to": "topic", "ratePerSecond": 1})
    assert (answer.status, answer.headers["location"]) == (202, f"/api/v1/operations/{answer.json['operation']}")
    path = answer.headers["location"].removeprefix("/api/v1/")
    for _ in range(3):
        morgue.world.advance(1)
    assert (morgue.ask(path).json["state"], morgue.ask(path).json["done"]) == ("running", 4)
    assert morgue.ask(path, "DELETE").status == 200
    morgue.world.advance(1)
    assert (morgue.ask(path).json["state"], morgue.ask(path).json["done"]) == ("stopped", 4)
    assert any("4 sent again" in row.parameters for row in morgue.rows())
    assert len(morgue.items()) == 8
