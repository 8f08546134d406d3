"""Entries of queues that are moved, put at the end or deleted over HTTP."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from broker.admin.roles import SocketRole
from broker.core.entries import QueueLimits
from broker.core.queue_control import Progress
from broker.errors import BrokerError, Code
from broker.model.qos import QueueQos
from tests.admin.api.desk import STRANGER, Desk
from tests.admin.api.office import ChangeOffice
from tests.core.world import DEFAULTS, Client, World
from tests.net.http.conversation import Received

PATH = "queues/callback/joe~1/entries"
ALL = {"all": True}


class QueueOffice(ChangeOffice):
    """joe/1, whose first message is on its way, with four more behind it; jack/1 is away.

    Args:
        desk: of the broker.
    """

    def __init__(self, desk: Desk | None = None) -> None:
        super().__init__(desk)
        self.joe = self.world.client("joe/1", answers=False, persistent=True)
        self.joe.subscribe("news")
        ann = self.world.client("ann/1", callback=False)
        for number in range(5):
            ann.publish("news", b"%d" % number)
        self.jack = self.world.client("jack/1", persistent=True)
        self.jack.lose_connection()

    def change(self, verb: str, body: object, **headers: str) -> Received:
        """Change the entries of joe."""
        return self.ask(f"{PATH}/{verb}", "POST", body, **headers)

    @property
    def revision(self) -> str:
        """Of the queue of joe."""
        queue = self.joe.session.queue
        return f'"{queue.entered}-{queue.entered - queue.entries}"'


def rest(client: Client) -> list[bytes]:
    """What the client gets when it acknowledges."""
    client.outbound.answers = True
    client.outbound.acknowledge()
    client.world.turn(100)
    return client.contents


def seqs(client: Client) -> list[str]:
    return [str(entry.seq) for part in client.session.queue.parts() for entry in part.entries or ()]


TO_JACK = {"relating": "callback", "owner": "jack~1"}


def test_entries_are_moved_and_the_audit_says_so() -> None:
    office = QueueOffice()
    answer = office.change("move", {"select": ALL, "to": TO_JACK, "reason": "joe is on holiday"})
    assert answer.json == {"done": 4, "skippedInFlight": 1, "failed": 0}
    office.jack.come_back()
    office.world.turn(100)
    assert office.jack.contents == [b"1", b"2", b"3", b"4"]
    row = office.rows()[0]
    assert (row.action, row.target, row.outcome) == ("queue.move", "queues/callback/joe~1", "done")
    assert row.reason == "joe is on holiday"


def test_dry_run_moves_nothing() -> None:
    office = QueueOffice()
    answer = office.change("move", {"select": ALL, "to": TO_JACK, "dryRun": True})
    assert answer.json == {"done": 4, "skippedInFlight": 1, "failed": 0, "dryRun": True}
    assert office.jack.session.queue.entries == 0


@pytest.mark.parametrize(("up_to", "status", "moved"), [(False, 409, 0), (True, 200, 2)])
def test_what_does_not_fit_is_refused_or_moved_in_part(up_to: bool, status: int, moved: int) -> None:
    office = QueueOffice()
    office.world.client("small/1", answers=False, queue=QueueQos("callback", max_entries=2))
    to = {"relating": "callback", "owner": "small~1"}
    answer = office.change("move", {"select": ALL, "to": to, "upTo": up_to})
    assert (answer.status, office.joe.session.queue.entries) == (status, 5 - moved)


def test_entries_are_moved_to_a_login_name_that_nobody_uses_yet() -> None:
    office = QueueOffice()
    assert office.change("move", {"select": ALL, "to": {"relating": "subject", "owner": "bob"}}).json["done"] == 4
    assert office.world.client("bob").contents == [b"1", b"2", b"3", b"4"]


def test_entries_are_published_on_a_topic_by_their_senders() -> None:
    office = QueueOffice()
    bob = office.world.client("bob/1")
    bob.subscribe("archive")
    move = {"select": ALL, "to": {"topic": "archive"}}
    assert office.change("move", {**move, "dryRun": True}).json["done"] == 4
    assert office.change("move", move).json == {"done": 4, "skippedInFlight": 1, "failed": 0}
    office.world.turn(50)
    assert bob.contents == [b"1", b"2", b"3", b"4"]
    first = bob.outbound.entries[0].message
    assert (first.oid, first.qos.sender) == ("archive", "/node/heron/client/ann/1")
    assert office.joe.session.queue.entries == 1
    assert office.change("move", {"select": ALL, "to": {"topic": "__sys__deadMessage"}}).status == 400


def test_entry_is_put_at_the_end() -> None:
    office = QueueOffice()
    first = seqs(office.joe)[0]
    assert office.change("requeue", {"select": {"seqs": [first]}, "at": "tail"}).json["done"] == 1
    assert rest(office.joe) == [b"0", b"2", b"3", b"4", b"1"]


def test_entry_gets_another_priority() -> None:
    office = QueueOffice()
    last = seqs(office.joe)[-1]
    assert office.change("requeue", {"select": {"seqs": [last]}, "priority": 9}).json["done"] == 1
    assert rest(office.joe) == [b"0", b"4", b"1", b"2", b"3"]


def test_one_entry_is_deleted_by_its_number() -> None:
    office = QueueOffice()
    answer = office.change("delete", {"select": {"seqs": [seqs(office.joe)[1]]}, "to": "nothing"})
    assert answer.json == {"done": 1, "skippedInFlight": 0, "failed": 0}
    assert rest(office.joe) == [b"0", b"1", b"3", b"4"]


def test_several_entries_are_deleted_only_of_a_queue_that_is_as_it_was_seen() -> None:
    office = QueueOffice()
    body = {"select": {"oid": "news"}, "to": "dead"}
    assert office.change("delete", body).status == 428
    assert office.change("delete", body, If_Match='"1-1"').status == 412
    assert office.joe.session.queue.entries == 5
    assert office.change("delete", body, If_Match=office.revision).json["done"] == 4
    assert office.world.broker.letters.count == 4


@pytest.mark.parametrize(("verb", "more"), [("requeue", {"priority": 9}), ("delete", {"to": "nothing"})])
def test_dry_run_tells_what_would_be_changed_and_changes_nothing(verb: str, more: dict[str, object]) -> None:
    office = QueueOffice()
    before = seqs(office.joe)
    answer = office.change(verb, {"select": {"oid": "news"}, "dryRun": True, **more})
    assert answer.json == {"done": 4, "skippedInFlight": 1, "failed": 0, "dryRun": True}
    assert seqs(office.joe) == before


def test_queue_is_purged_where_that_is_confirmed() -> None:
    office = QueueOffice()
    assert office.change("purge", {"confirm": "joe"}).status == 400
    answer = office.change("purge", {"confirm": "joe~1"})
    assert (answer.status, answer.json["action"], answer.json["target"]) == (
        202,
        "queue.purge",
        "queues/callback/joe~1",
    )
    office.world.turn(50)
    told = office.ask(f"operations/{answer.json['id']}").json
    assert (told["state"], told["done"], told["total"], told["skippedInFlight"]) == ("done", 4, 5, 1)
    assert office.rows()[0].parameters == f"{told['id']}: 4 entries"
    assert (office.joe.session.queue.entries, office.world.broker.letters.count) == (1, 0)


@pytest.mark.parametrize(
    ("select", "done"),
    [
        ({"oid": "n*"}, 4),
        ({"oid": "weather"}, 0),
        ({"sender": "*/ann/1"}, 4),
        ({"olderThanSeconds": 60}, 4),
        ({"olderThanSeconds": 61}, 0),
        ({"oid": "news", "olderThanSeconds": 61}, 0),
    ],
)
def test_entries_are_selected_by_filters(select: dict[str, Any], done: int) -> None:
    office = QueueOffice()
    office.world.advance(60)
    assert office.change("move", {"select": select, "to": TO_JACK, "dryRun": True}).json["done"] == done


@pytest.mark.parametrize(
    ("verb", "body", "pointer"),
    [
        ("move", {"select": {}, "to": TO_JACK}, "/select"),
        ("move", {"select": {"all": True, "oid": "x"}, "to": TO_JACK}, "/select"),
        ("move", {"select": {"seqs": ["x"]}, "to": TO_JACK}, "/select/seqs"),
        ("move", {"select": {"oid": "a*b"}, "to": TO_JACK}, "/select"),
        ("move", {"select": ALL, "to": {"relating": "callback", "owner": "nobody~1"}}, "/to/owner"),
        ("move", {"select": ALL, "to": {"relating": "callback", "owner": "joe~1"}}, "/to/owner"),
        ("move", {"select": ALL, "to": {"relating": "history", "owner": "news"}}, "/to/relating"),
        ("move", {"select": ALL, "to": {"topic": "x", "owner": "joe~1"}}, "/to"),
        ("move", {"select": ALL, "to": {}}, "/to"),
        ("requeue", {"select": ALL, "priority": 10}, "/priority"),
        ("delete", {"select": ALL, "to": "heaven"}, "/to"),
        ("purge", {"confirm": "x"}, "/confirm"),
    ],
)
def test_body_that_cannot_be_used_is_refused(verb: str, body: object, pointer: str) -> None:
    office = QueueOffice()
    answer = office.change(verb, body)
    assert (answer.status, answer.json["errors"][0]["pointer"]) == (400, pointer)
    assert office.joe.session.queue.entries == 5


@pytest.mark.parametrize(("path", "status"), [("queues/callback/nobody~1", 404), ("queues/history/news", 409)])
def test_queue_that_cannot_be_changed_is_refused(path: str, status: int) -> None:
    office = QueueOffice()
    assert office.post(f"{path}/entries/requeue", {"select": ALL}).status == status


@pytest.mark.parametrize(
    ("verb", "body", "status"),
    [
        ("move", {"select": ALL, "to": TO_JACK}, 200),
        ("requeue", {"select": ALL}, 200),
        ("delete", {"select": {"seqs": ["1"]}, "to": "nothing"}, 403),
        ("purge", {"confirm": "joe~1"}, 403),
    ],
)
def test_operator_moves_and_administrator_deletes(verb: str, body: object, status: int) -> None:
    office = QueueOffice(Desk(uid=STRANGER, role=SocketRole.OPERATOR))
    assert office.change(verb, body).status == status
    assert QueueOffice(Desk(uid=STRANGER)).change(verb, body).status == 403


def test_long_work_is_told_while_it_runs_and_can_be_stopped() -> None:
    office = QueueOffice(Desk(World(replace(DEFAULTS, callback=QueueLimits(cache_entries=3)))))
    slow: Deferred[Any] = Deferred()
    office.world.store.read_headers = lambda *arguments: slow  # type: ignore[method-assign]
    id = office.change("purge", {"confirm": "joe~1"}).json["id"]
    (running,) = office.ask("operations").json["items"]
    assert (running["id"], running["state"], running["done"], running["total"]) == (id, "running", 2, 5)

    assert office.ask(f"operations/{id}", "DELETE").status == 200
    slow.callback([])
    office.world.turn()

    assert office.ask(f"operations/{id}").json["state"] == "stopped"
    assert office.joe.session.queue.entries == 3
    assert office.ask("operations/op-99").status == 404


def test_work_that_fails_says_why() -> None:
    office = QueueOffice()
    works = office.works

    async def fail() -> None:
        raise BrokerError(Code.RESOURCE_DB_UNAVAILABLE, "the disk is full")

    work = works.begin("queue.purge", "x", 1, Progress(), 0)
    works.run_aside(work, fail())
    (told,) = office.ask("operations").json["items"]
    assert (told["state"], told["error"]) == ("failed", "resource.db.unavailable: the disk is full")


@pytest.mark.parametrize(
    "body",
    [
        {"select": ALL, "to": {"relating": "subject", "owner": "ghost"}, "dryRun": True},
        {"select": {"seqs": ["999999"]}, "to": {"relating": "subject", "owner": "ghost"}},
        {"select": {"all": True, "seqs": ["1"]}, "to": {"relating": "subject", "owner": "ghost"}},
        {"select": ALL, "to": {"topic": "ghost"}, "dryRun": True},
        {"select": ALL, "to": {"topic": "__sys__Event"}, "dryRun": True},
    ],
)
def test_move_that_moves_nothing_makes_no_login_name_and_no_topic(body: object) -> None:
    office = QueueOffice()
    node = office.world.node
    before = set(node.subjects), set(node.topics)
    office.change("move", body)
    office.world.turn()
    assert (set(node.subjects), set(node.topics)) == before


def test_dry_run_of_a_move_to_a_topic_of_the_broker_is_refused_as_the_move_is() -> None:
    body = {"select": ALL, "to": {"topic": "__sys__Event"}}
    office = QueueOffice()
    answers = [office.change("move", {**body, "dryRun": dry}) for dry in (True, False)]
    assert [(each.status, "reserved" in each.json["detail"]) for each in answers] == [(400, True)] * 2


def test_purge_tells_where_to_see_how_far_it_is() -> None:
    office = QueueOffice()
    answer = office.change("purge", {"confirm": "joe~1"})
    assert (answer.status, answer.headers["location"]) == (202, f"/api/v1/operations/{answer.json['id']}")
