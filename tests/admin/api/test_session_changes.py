"""Changes of sessions, login names and connections over HTTP."""

from __future__ import annotations

import pytest

from broker.errors import BrokerError, Code
from broker.model.qos import Overflow, QueueQos
from tests.admin.api.desk import STRANGER, Desk
from tests.admin.api.office import ChangeOffice
from tests.net.http.conversation import Connection, request

FULL = BrokerError(Code.RESOURCE_NO_MORE_SPACE, "the disk is full")


def with_entries(count: int = 3) -> ChangeOffice:
    """joe/1 waits, with messages of a subscription and one for the login name in its queue."""
    office = ChangeOffice()
    joe, ann = office.world.client("joe/1", answers=False), office.world.client("ann/1")
    joe.subscribe("news")
    for _ in range(count):
        ann.publish("news", b"x")
    return office


def dead(office: ChangeOffice) -> int:
    return office.world.broker.letters.count


def test_session_is_disconnected_and_waits() -> None:
    office = ChangeOffice()
    joe = office.world.client("joe/1")
    assert office.post("sessions/joe/1/disconnect", {"reason": "it floods"}).json == {"done": True}
    assert (joe.outbound.closed, joe.session.ended) == ("an administrator disconnected the client", False)


@pytest.mark.parametrize(
    ("body", "died"), [(None, 3), ({"queue": "subject"}, 3), ({"queue": "dead"}, 3), ({"queue": "discard"}, 0)]
)
def test_session_ends_and_its_queue_becomes_what_was_asked_for(body: object, died: int) -> None:
    office = with_entries()
    assert office.post("sessions/joe/1/end", body).json == {"entries": 3}
    assert "joe" not in office.world.node.subjects
    assert dead(office) == died


@pytest.mark.parametrize(("queue", "waiting", "died"), [("subject", 1, 0), ("dead", 0, 1), ("discard", 0, 0)])
def test_message_for_the_login_name_waits_on_unless_it_is_to_die(queue: str, waiting: int, died: int) -> None:
    office = ChangeOffice()
    office.world.client("joe/1", answers=False)
    office.world.client("ann/1").send("joe", b"x")
    office.world.turn()
    assert office.post("sessions/joe/1/end", {"queue": queue}).status == 200
    subject = office.world.node.subjects.get("joe")
    assert (0 if subject is None else len(subject.queue), dead(office)) == (waiting, died)


def test_deliveries_are_held_and_go_on() -> None:
    office = ChangeOffice()
    joe, ann = office.world.client("joe/1"), office.world.client("ann/1")
    joe.subscribe("news")
    assert office.post("sessions/joe/1/deliveries", {"active": False}).status == 200
    ann.publish("news", b"x")
    office.world.turn()
    assert joe.outbound.contents == []
    office.post("sessions/joe/1/deliveries", {"active": True})
    assert joe.outbound.contents == [b"x"]


def test_login_name_is_blocked_and_let_in_again() -> None:
    office = ChangeOffice()
    joe = office.world.client("joe/1")
    assert office.post("subjects/joe/block", {"disconnect": True}).json == {"disconnected": 1}
    assert joe.outbound.closed
    with pytest.raises(BrokerError, match="blocked"):
        office.world.client("joe/2")
    assert office.world.crash().node.subjects["joe"].blocked

    office = ChangeOffice()
    office.post("subjects/mary/block")
    assert office.post("subjects/mary/unblock").status == 200
    office.world.client("mary/1")


def test_sessions_of_a_login_name_are_limited() -> None:
    office = ChangeOffice()
    assert office.ask("subjects/joe", "PATCH", {"maxSessions": 1}).status == 200
    office.world.client("joe/1")
    with pytest.raises(BrokerError, match="most that are allowed"):
        office.world.client("joe/2")
    office.ask("subjects/joe", "PATCH", {"maxSessions": 0})
    office.world.client("joe/2")


CHANGES = [
    ("sessions/joe/1/disconnect", "POST", None, "session.disconnect", "sessions/joe/1"),
    ("sessions/joe/1/end", "POST", {"queue": "dead"}, "session.end", "sessions/joe/1"),
    ("sessions/joe/1/deliveries", "POST", {"active": False}, "session.deliveries", "sessions/joe/1"),
    ("sessions/joe/1/refresh", "POST", None, "session.refresh", "sessions/joe/1"),
    ("sessions/joe/1", "PATCH", {"timeoutSeconds": 3600}, "session.change", "sessions/joe/1"),
    ("subjects/joe/block", "POST", None, "subject.block", "subjects/joe"),
    ("subjects/joe/unblock", "POST", None, "subject.unblock", "subjects/joe"),
    ("subjects/joe", "PATCH", {"maxSessions": 3}, "subject.limit", "subjects/joe"),
]


@pytest.mark.parametrize(("path", "method", "body", "action", "target"), CHANGES)
def test_change_leaves_one_row_in_the_audit(
    path: str, method: str, body: dict[str, object] | None, action: str, target: str
) -> None:
    office = ChangeOffice()
    office.world.client("joe/1")
    answer = office.ask(path, method, {**(body or {}), "reason": "it floods"})
    assert answer.status == 200, answer.body
    (row,) = office.rows()
    assert (row.action, row.target, row.reason, row.outcome) == (action, target, "it floods", "done")
    assert (row.role, row.via, row.request) == ("administrator", "socket", answer.headers["x-request-id"])
    assert "it floods" not in row.parameters


@pytest.mark.parametrize(("path", "method", "body"), [each[:3] for each in CHANGES])
def test_change_is_refused_while_the_store_fails(path: str, method: str, body: dict[str, object] | None) -> None:
    office = ChangeOffice()
    joe = office.world.client("joe/1")
    office.world.store.fail(FULL)
    assert office.ask(path, method, body).status == 503
    assert (joe.session.ended, joe.outbound.closed, joe.session.subject.blocked) == (False, "", False)


@pytest.mark.parametrize(("path", "method", "body"), [each[:3] for each in CHANGES])
def test_monitoring_changes_nothing(path: str, method: str, body: dict[str, object] | None) -> None:
    office = ChangeOffice(Desk(uid=STRANGER))
    office.world.client("joe/1")
    assert office.ask(path, method, body).status == 403
    assert office.rows() == []


@pytest.mark.parametrize("path", ["sessions/joe/1/end", "sessions/nobody/1/disconnect", "sessions/joe/x/disconnect"])
def test_change_of_what_is_not_there_is_told_and_written_down(path: str) -> None:
    office = ChangeOffice()
    assert office.post(path).status == 404
    (row,) = office.rows()
    assert (row.outcome, row.code) == ("failed", "user.oid.unknown")


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        ("sessions/joe/1/end", {"queue": "keep"}, "/queue"),
        ("sessions/joe/1/end", {"queu": "dead"}, ""),
        ("sessions/joe/1/deliveries", {"active": "no"}, "/active"),
        ("sessions/joe/1/deliveries", {}, ""),
    ],
)
def test_body_that_cannot_be_used_changes_nothing(path: str, body: object, pointer: str) -> None:
    office = ChangeOffice()
    joe = office.world.client("joe/1")
    answer = office.post(path, body)
    assert (answer.status, answer.json["errors"][0]["pointer"]) == (400, pointer)
    assert (joe.session.ended, office.rows()) == (False, [])


def test_change_that_needs_a_body_is_refused_without() -> None:
    assert ChangeOffice().post("sessions/joe/1/deliveries").status == 415


def test_change_is_made_whole_though_its_asker_goes_away() -> None:
    office = with_entries()
    channel = office.desk.site(office.operations).buildProtocol(None)
    assert channel is not None
    connection = Connection(channel, office.world.clock)
    connection.send(request("/api/v1/sessions/joe/1/end", "POST"))
    connection.lose()
    office.world.turn()
    (row,) = office.rows()
    assert (row.outcome, "joe" in office.world.node.subjects) == ("done", False)


def test_time_of_a_session_begins_anew_and_is_another() -> None:
    office = ChangeOffice()
    joe = office.world.client("joe/1", persistent=True)
    assert office.ask("sessions/joe/1", "PATCH", {"timeoutSeconds": 1.5}).status == 200
    assert joe.session.timeout == 1500
    office.world.advance(1)
    office.post("sessions/joe/1/refresh")
    office.world.advance(1)
    assert not joe.session.ended
    office.world.advance(1)
    assert joe.session.ended


def test_queue_of_a_session_gets_other_limits_that_outlive_a_crash() -> None:
    office = ChangeOffice()
    joe = office.world.client("joe/1", persistent=True)
    body = {"maxEntries": 5, "maxBytes": 5000, "onOverflow": "block"}
    assert office.ask("sessions/joe/1", "PATCH", body).status == 200
    limits = joe.session.queue.limits
    assert (limits.entries, limits.bytes, limits.overflow) == (5, 5000, "block")
    limits = office.world.crash().node.subjects["joe"].sessions[1].queue.limits
    assert (limits.entries, limits.bytes, limits.overflow) == (5, 5000, "block")


def test_what_is_not_given_of_a_session_stays() -> None:
    office = ChangeOffice()
    joe = office.world.client("joe/1", persistent=True)
    before, timeout = joe.session.queue.limits, joe.session.timeout
    office.ask("sessions/joe/1", "PATCH", {"maxEntries": 5})
    assert (joe.session.queue.limits.bytes, joe.session.queue.limits.overflow) == (before.bytes, before.overflow)
    assert joe.session.timeout == timeout
    office.ask("sessions/joe/1", "PATCH", {})
    assert joe.session.queue.limits.entries == 5


def test_limit_beyond_that_of_the_configuration_is_refused() -> None:
    office = ChangeOffice()
    joe = office.world.client("joe/1")
    before = joe.session.queue.limits
    answer = office.ask("sessions/joe/1", "PATCH", {"maxEntries": before.max_entries + 1, "timeoutSeconds": 1})
    assert answer.status == 400
    assert joe.session.queue.limits == before
    assert joe.session.timeout != 1000


def test_publisher_that_waits_for_room_goes_on_when_a_higher_limit_makes_some() -> None:
    office = ChangeOffice()
    queue = QueueQos("callback", max_entries=1, on_overflow=Overflow.BLOCK)
    joe = office.world.client("joe/1", answers=False, queue=queue)
    joe.subscribe("news")
    ann = office.world.client("ann/1")
    ann.publish("news", b"1")
    waiting = ann.publish_later("news", b"2")
    office.world.turn()
    assert not waiting.called
    office.ask("sessions/joe/1", "PATCH", {"maxEntries": 2})
    office.world.turn()
    assert waiting.called


def test_lower_limit_keeps_what_is_there() -> None:
    office = ChangeOffice()
    joe = office.world.client("joe/1", answers=False)
    joe.subscribe("news")
    ann = office.world.client("ann/1")
    for number in range(3):
        ann.publish("news", b"%d" % number)
    office.ask("sessions/joe/1", "PATCH", {"maxEntries": 1})
    assert joe.session.queue.entries == 3
