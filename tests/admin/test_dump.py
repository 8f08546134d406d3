"""What there is, as XML (spec xmlblaster §16.1)."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest

from broker.admin import dump
from tests.admin.office import BOSS, Office


def test_a_dump_of_the_node_shows_clients_sessions_and_topics() -> None:
    office = Office(BOSS)
    boss = office.client("boss")
    joe = office.client("joe/1", answers=False)
    joe.subscribe("a")
    boss.publish("a", b"x", key="<key oid='a'><b/></key>")
    # when
    node = ElementTree.fromstring(office.get(boss, "?dump"))
    # then
    assert node.get("id") == "heron"
    session = node.find("client[@id='joe']/session")
    assert session is not None
    assert session.get("id") == "1"
    assert (session.get("connectionState"), session.get("cbQueueNumMsgs")) == ("ALIVE", "1")
    assert session.get("numSubscriptions") == "1"
    topic = node.find("topic[@id='a']")
    assert topic is not None
    assert (topic.get("state"), topic.get("numSubscribers")) == ("ALIVE", "1")


def test_a_dump_tells_no_secret() -> None:
    office = Office(BOSS)
    boss, joe = office.client("boss"), office.client("joe/1")
    assert joe.session.secret_id not in office.get(boss, "?dump")


def test_a_dump_shows_some_of_very_many_and_how_many_more_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dump, "MAX_SHOWN", 2)
    office = Office(BOSS)
    boss = office.client("boss")
    for number in range(5):
        boss.publish(f"t{number}")
    node = ElementTree.fromstring(office.get(boss, "?dump"))
    assert [each.get("id") for each in node.findall("topic")] == ["t0", "t1"]
    assert [each.attrib for each in node.findall("more")] == [{"topic": "3"}]


def test_names_of_peers_are_escaped() -> None:
    office = Office(BOSS)
    boss = office.client("boss")
    boss.publish("a", key="<key oid='&lt;&apos;>'/>")
    node = ElementTree.fromstring(office.get(boss, "?dump"))
    assert node.find("topic").get("id") == "<'>"  # type: ignore[union-attr]


def test_a_topic_as_xml_has_its_key_and_its_subscribers() -> None:
    office = Office(BOSS)
    boss = office.client("boss")
    boss.publish("a", key="<key oid='a'><b/></key>")
    id = office.client("joe/1").subscribe("a").id
    topic = ElementTree.fromstring(office.get(boss, "topic/a/?toXml"))
    assert topic.find("key/b") is not None
    assert [each.attrib for each in topic.findall("subscriber")] == [{"id": id, "session": "client/joe/1"}]


def test_subscriptions_of_a_session_as_xml_say_what_they_select() -> None:
    office = Office(BOSS)
    joe = office.client("joe/1")
    joe.subscribe("a")
    joe.subscribe(key="<key queryType='XPATH'>//b</key>")
    told = office.get(office.client("boss"), "client/joe/1/?subscriptionDump")
    found = ElementTree.fromstring(f"<all>{told}</all>")
    assert [each.get("query") for each in found] == ["exact:a", "xpath://b"]
