"""Changes of topics over HTTP."""

from __future__ import annotations

import pytest

from broker.errors import BrokerError
from tests.admin.api.office import ChangeOffice
from tests.core.world import Client


def with_topic() -> ChangeOffice:
    """joe has published on a topic, ann has not taken what she gets of it."""
    office = ChangeOffice()
    joe, ann = office.world.client("joe/1"), office.world.client("ann/1", answers=False)
    ann.subscribe("news")
    for _ in range(3):
        joe.publish("news", b"x")
    return office


@pytest.mark.parametrize(("query", "forced"), [("", False), ("?forceDestroy=true", True)])
def test_topic_is_erased_and_what_queues_hold_of_it_where_that_is_asked_for(query: str, forced: bool) -> None:
    office = with_topic()
    answer = office.ask(f"topics/news{query}", "DELETE")
    assert (answer.status, answer.json) == (200, {"entries": 3})
    assert "news" not in office.world.node.topics
    assert ("news" in office.world.node.erased) is forced
    ann = office.world.node.subjects["ann"].sessions[1]
    assert ann.queue.entries == (2 if forced else 4)  # one is on its way, and one tells of the end


def test_history_is_emptied_and_the_topic_stays() -> None:
    office = with_topic()
    assert office.post("topics/news/history/clear", {"reason": "old"}).json == {"entries": 3}
    assert len(office.world.node.topics["news"].history) == 0
    assert [(row.action, row.target) for row in office.rows()] == [("topic.clearHistory", "topics/news")]


def test_topic_that_is_not_there_is_told() -> None:
    assert ChangeOffice().ask("topics/nothing", "DELETE").status == 404
    assert ChangeOffice().post("topics/nothing/history/clear").status == 404


def test_flag_that_is_none_changes_nothing() -> None:
    office = with_topic()
    assert office.ask("topics/news?forceDestroy=yes", "DELETE").status == 400
    assert "news" in office.world.node.topics


def subscriber(office: ChangeOffice, oid: str) -> Client:
    ann = office.world.client("ann/1")
    ann.subscribe(oid)
    return ann


def test_topic_that_is_made_behaves_as_it_was_told() -> None:
    office = ChangeOffice()
    section = {"readonly": True, "destroyDelaySeconds": -1, "maxHistoryEntries": 3}
    answer = office.post("topics", {"oid": "news", "domain": "d", "mime": "text/x", "topic": section})
    assert answer.status == 201, answer.body
    row = {name: answer.json[name] for name in ("oid", "domain", "mime", *section)}
    assert row == {"oid": "news", "domain": "d", "mime": "text/x", **section}
    office.world.advance(1000)
    joe = office.world.client("joe/1")
    joe.publish("news", b"the only one")
    with pytest.raises(BrokerError, match="readonly"):
        joe.publish("news", b"another")


def test_topic_that_is_made_is_there_after_a_crash() -> None:
    office = ChangeOffice()
    office.post("topics", {"oid": "news", "topic": {"destroyDelaySeconds": -1, "maxHistoryEntries": 3}})
    topic = office.world.crash().node.topics["news"]
    assert (topic.config.destroy_delay, topic.history.limits.entries) == (-1, 3)


def test_key_of_a_topic_may_be_given_as_xml_which_queries_find() -> None:
    office = ChangeOffice()
    ann = office.world.client("ann/1")
    ann.subscribe(key="<key queryType='XPATH'>//city[@name='Bern']</key>")
    key = "<key oid='news' domain='d'><city name='Bern'/></key>"
    answer = office.post("topics", {"key": key, "topic": {"destroyDelaySeconds": -1}})
    assert (answer.json["oid"], answer.json["domain"], answer.json["subscribers"]) == ("news", "d", 1)


def test_topic_that_nobody_uses_says_when_it_goes() -> None:
    office = ChangeOffice()
    made = office.post("topics", {"oid": "news", "topic": {"destroyDelaySeconds": 60}}).json
    assert made["state"] == "UNREFERENCED"
    longer = office.ask("topics/news", "PATCH", {"destroyDelaySeconds": 120}).json
    assert longer["destroysAt"] > made["destroysAt"]
    office.world.advance(119)
    assert "news" in office.world.node.topics
    office.world.advance(1)
    assert "news" not in office.world.node.topics


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"oid": "__sys__deadMessage"},
        {"oid": "__cmd:?x"},
        {"oid": "a", "key": "<key oid='a'/>"},
        {"key": "<key oid='a'"},
        {"oid": "a\0"},
        {"oid": "a", "topic": {"destroyDelaySeconds": -2}},
        {"oid": "a", "topic": {"readOnly": True}},
    ],
)
def test_topic_that_cannot_be_is_not_made(body: dict[str, object]) -> None:
    office = ChangeOffice()
    before = set(office.world.node.topics)
    assert office.post("topics", body).status == 400
    assert set(office.world.node.topics) == before


def test_topic_that_is_there_is_not_made_again() -> None:
    office = with_topic()
    answer = office.post("topics", {"oid": "news"})
    assert (answer.status, answer.json["code"]) == (409, "user.configuration")


def test_history_with_a_lower_limit_loses_the_oldest_and_keeps_it_after_a_crash() -> None:
    office = ChangeOffice()
    joe = office.world.client("joe/1")
    for number in range(3):
        joe.publish("news", b"%d" % number, "<qos><persistent/></qos>")
    row = office.ask("topics/news", "PATCH", {"maxHistoryEntries": 1}).json
    assert (row["historyEntries"], row["maxHistoryEntries"], row["readonly"]) == (1, 1, False)
    topic = office.world.crash().node.topics["news"]
    assert (len(topic.history), topic.history.limits.entries) == (1, 1)


def test_what_is_not_given_stays() -> None:
    office = ChangeOffice()
    office.post("topics", {"oid": "news", "topic": {"destroyDelaySeconds": 5, "maxHistoryBytes": 500}})
    office.ask("topics/news", "PATCH", {"readonly": True})
    office.ask("topics/news", "PATCH", {"maxHistoryEntries": 7})
    row = office.ask("topics/news", "PATCH", {}).json
    found = [row[name] for name in ("readonly", "destroyDelaySeconds", "maxHistoryBytes", "maxHistoryEntries")]
    assert found == [True, 5, 500, 7]


def test_topic_that_nobody_has_configured_is_not_changed() -> None:
    office = ChangeOffice()
    subscriber(office, "news")
    assert office.ask("topics/news", "PATCH", {"readonly": True}).status == 409
    assert office.ask("topics/nothing", "PATCH", {"readonly": True}).status == 404


def test_message_of_an_administrator_reaches_subscribers_and_is_not_in_the_audit() -> None:
    office = ChangeOffice()
    ann = subscriber(office, "news")
    answer = office.post("topics/news/publish", {"contentText": "s3cret", "properties": {"a": "b"}, "priority": 9})
    office.world.turn()
    (entry,) = ann.outbound.entries
    assert (answer.status, answer.json) == (200, {"messageId": str(entry.message.id), "receivers": 1})
    qos = entry.message.qos
    assert (entry.message.content, qos.priority, qos.sender) == (b"s3cret", 9, "/node/heron/client/uid_0")
    assert [(each.name, each.text) for each in qos.properties] == [("a", "b")]
    (row,) = office.rows()
    assert (row.action, row.target) == ("topic.publish", "topics/news")
    assert "s3cret" not in row.parameters


def test_message_may_be_bytes_that_outlive_a_crash() -> None:
    office = with_topic()
    assert office.post("topics/news/publish", {"contentBase64": "AP8=", "persistent": True}).status == 200
    history = office.world.crash().node.topics["news"].history
    assert len(history) == 1


@pytest.mark.parametrize(
    "body",
    [{}, {"contentText": "a", "contentBase64": "YQ=="}, {"contentBase64": "?"}, {"contentText": "a", "priority": 10}],
)
def test_message_that_cannot_be_is_not_published(body: dict[str, object]) -> None:
    office = with_topic()
    assert office.post("topics/news/publish", body).status == 400
    assert len(office.world.node.topics["news"].history) == 3


def test_readonly_topic_takes_no_message_of_an_administrator_either() -> None:
    office = with_topic()
    office.ask("topics/news", "PATCH", {"readonly": True})
    assert office.post("topics/news/publish", {"contentText": "x"}).status == 400


def test_topic_of_the_broker_itself_takes_no_message_of_an_administrator() -> None:
    office = ChangeOffice()
    office.world.node.topic("__sys__deadMessage")
    assert office.post("topics/__sys__deadMessage/publish", {"contentText": "x"}).status == 400
