"""Texts that an administrator sends to all who are there."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from broker.xml.tree import Tree
from broker.xmpp.wire import ns
from tests.admin.api.desk import Desk
from tests.admin.api.office import ChangeOffice
from tests.xmpp.world import World


def test_native_clients_that_are_there_get_a_message_of_the_administrator() -> None:
    office = ChangeOffice()
    joe, ann = office.world.client("joe/1"), office.world.client("ann/1", persistent=True)
    ann.lose_connection()
    answer = office.post("broadcast", {"text": "noon"})
    office.world.turn()
    (entry,) = joe.outbound.entries
    assert (answer.status, answer.json) == (200, {"matched": 1, "done": 1, "failed": 0})
    assert (entry.message.content, entry.message.qos.sender) == (b"noon", "/node/heron/client/uid_0")
    assert entry.message.qos.destinations[0].name == "client/joe/1"
    assert ann.session.queue.entries == 0


@pytest.mark.parametrize(("to", "matched"), [({"subject": "j*"}, 1), ({"kind": "xmpp"}, 0), ({"kind": "native"}, 2)])
def test_some_are_chosen_and_a_dry_run_sends_nothing(to: dict[str, str], matched: int) -> None:
    office = ChangeOffice()
    clients = [office.world.client(name) for name in ("joe/1", "ann/1")]
    answer = office.post("broadcast", {"text": "noon", "to": to, "dryRun": True})
    office.world.turn()
    assert answer.json == {"matched": matched, "done": 0, "failed": 0}
    assert [each.contents for each in clients] == [[], []]


def test_client_whose_queue_is_full_is_counted_as_failed() -> None:
    office = ChangeOffice()
    joe = office.world.client("joe/1")
    office.ask("sessions/joe/1", "PATCH", {"maxEntries": 0})
    assert office.post("broadcast", {"text": "noon"}).json == {"matched": 1, "done": 0, "failed": 1}
    assert joe.contents == []


def test_streams_get_a_headline_of_the_domain() -> None:
    world = World()
    desk = Desk(world)
    desk.fake.xmpp = SimpleNamespace(current=world.service)
    office = ChangeOffice(desk)
    joe = world.bind("joe@localhost/x")
    joe.take()
    answer = office.post("broadcast", {"text": "a < b", "to": {"kind": "xmpp"}})
    world.turn()
    assert answer.json == {"matched": 1, "done": 1, "failed": 0}
    told = joe.one()
    assert (told.attributes["type"], told.attributes["from"]) == ("headline", "localhost")
    assert body_of(told) == "a < b"


def body_of(stanza: Tree) -> str:
    found = stanza.find(ns.CLIENT, "body")
    return "" if found is None else found.text


@pytest.mark.parametrize("body", [{"text": ""}, {"text": "a\0"}, {"text": "x", "to": {"subject": "a*b"}}, {}])
def test_text_that_cannot_be_is_refused(body: dict[str, object]) -> None:
    assert ChangeOffice().post("broadcast", body).status == 400


def test_memory_is_looked_through() -> None:
    answer = ChangeOffice().post("gc")
    assert answer.status == 200
    assert answer.json["objects"] >= 0
