"""Commands that change something."""

from __future__ import annotations

import io
import json
import sys
from datetime import UTC, datetime

import pytest

from broker.cli.ops import changes
from broker.cli.ops.parameters import moment
from broker.cli.transport import Reply
from tests.cli.ops.desk import CommandDesk, Screen


def sent(desk: CommandDesk) -> tuple[str, str, object]:
    (asked,) = desk.asked
    return asked


def done(desk: CommandDesk) -> None:
    desk.canned.append(Reply(200, "application/json", {}, b'{"done":true}'))


@pytest.mark.parametrize(
    ("line", "request_"),
    [
        ("sessions hold joe/1", ("POST", "/api/v1/sessions/joe/1/deliveries", {"active": False})),
        (
            "sessions end joe/1 --queue dead --yes --reason flood",
            ("POST", "/api/v1/sessions/joe/1/end", {"queue": "dead", "reason": "flood"}),
        ),
        ("subjects set-max-sessions joe 3", ("PATCH", "/api/v1/subjects/joe", {"maxSessions": 3})),
        ("subjects block joe --disconnect", ("POST", "/api/v1/subjects/joe/block", {"disconnect": True})),
        ("connections close 17 --reason flood", ("DELETE", "/api/v1/connections/17?reason=flood", None)),
    ],
)
def test_command_line_becomes_a_request(desk: CommandDesk, line: str, request_: tuple[str, str, object]) -> None:
    done(desk)
    assert desk.run(*line.split()) == (0, "done\n")
    assert sent(desk) == request_


def test_value_of_the_wrong_kind_is_wrong_usage(desk: CommandDesk, capsys: pytest.CaptureFixture[str]) -> None:
    assert desk.run("subjects", "set-max-sessions", "joe", "many")[0] == 2
    assert desk.run("sessions", "end", "joe/1", "--queue", "keep", "--yes")[0] == 2
    assert desk.asked == []


def test_what_loses_something_is_not_done_where_nobody_can_be_asked(
    desk: CommandDesk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("yes\n"))
    assert desk.run("sessions", "end", "joe/1")[0] == 2
    assert "give --yes" in capsys.readouterr().err
    assert desk.asked == []


@pytest.mark.parametrize(("answer", "status"), [("yes\n", 0), ("y\n", 2), ("", 2)])
def test_person_at_a_terminal_is_asked(
    desk: CommandDesk, monkeypatch: pytest.MonkeyPatch, answer: str, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", Screen(answer))
    done(desk)
    assert desk.run("sessions", "end", "joe/1")[0] == status
    assert "the session ends" in capsys.readouterr().err
    assert len(desk.asked) == (1 if status == 0 else 0)


def test_answer_with_something_to_tell_is_told(desk: CommandDesk) -> None:
    for arguments, output in (((), "entries\t12\n"), (("--json",), '{"entries": 12}\n'), (("--quiet",), "")):
        desk.canned.append(Reply(200, "application/json", {}, b'{"entries":12}'))
        assert desk.run("sessions", "end", "joe/1", "--yes", *arguments) == (0, output)


@pytest.mark.parametrize(("state", "status"), [("done", 0), ("failed", 1), ("stopped", 7)])
def test_operation_that_takes_long_is_waited_for(
    desk: CommandDesk, monkeypatch: pytest.MonkeyPatch, state: str, status: int
) -> None:
    monkeypatch.setattr(changes, "POLL", 0)
    monkeypatch.setattr(changes, "operation_target", lambda id: f"/api/v1/operations/{id}")
    for number, each in enumerate(("running", "running", state)):
        answer = json.dumps({"id": "op-1", "state": each, "done": number, "total": 2}).encode()
        desk.canned.append(Reply(202 if number == 0 else 200, "application/json", {}, answer))
    result, output = desk.run("sessions", "end", "joe/1", "--yes")
    assert (result, f"state\t{state}" in output) == (status, True)
    assert [target for _, target, _ in desk.asked[1:]] == ["/api/v1/operations/op-1"] * 2


def test_change_is_made_by_the_broker_and_stands_in_its_audit(desk: CommandDesk) -> None:
    desk.world.client("joe")
    assert desk.run("sessions", "hold", "joe/-1", "--reason", "a look") == (0, "done\n")
    assert "active\tfalse" in desk.run("sessions", "show", "joe/-1")[1]


NOW = datetime(2026, 11, 30, 12, 0, 0, 5000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("1h", "2026-11-30T11:00:00.005Z"),
        ("90m", "2026-11-30T10:30:00.005Z"),
        ("2d", "2026-11-28T12:00:00.005Z"),
        ("2026-11-30T03:12:07Z", "2026-11-30T03:12:07Z"),
    ],
)
def test_time_may_be_told_by_how_long_ago_it_was(text: str, time: str) -> None:
    assert moment(text, NOW) == time


def test_properties_of_messages_are_filters(desk: CommandDesk) -> None:
    desk.canned.append(Reply(200, "application/json", {}, b'{"items":[]}'))
    desk.run("queues", "peek", "callback/joe~1", "--property", "city=Bern", "--limit", "1")
    assert sent(desk)[1] == "/api/v1/queues/callback/joe~1/entries?property.city=Bern&limit=1"


@pytest.mark.parametrize(
    ("line", "request_"),
    [
        (
            "queues move callback/joe~1 --seq 7 --seq 8 --oid a* --older-than-seconds 60 --to subject/joe --dry-run",
            (
                "POST",
                "/api/v1/queues/callback/joe~1/entries/move",
                {
                    "select": {"seqs": ["7", "8"], "oid": "a*", "olderThanSeconds": 60},
                    "to": {"relating": "subject", "owner": "joe"},
                    "dryRun": True,
                },
            ),
        ),
        (
            "queues purge callback/joe~1 --yes",
            ("POST", "/api/v1/queues/callback/joe~1/entries/purge", {"confirm": "joe~1"}),
        ),
        (
            "dead replay --all --to topic",
            ("POST", "/api/v1/dead-messages/replay", {"select": {"all": True}, "to": "topic"}),
        ),
        ("dead purge --yes", ("POST", "/api/v1/dead-messages/purge", {"confirm": "dead"})),
        (
            "log level broker.xmpp debug --for 10m",
            ("PUT", "/api/v1/log-levels/broker.xmpp", {"level": "debug", "forSeconds": 600.0}),
        ),
        ("properties set a/b 5 --keep", ("PUT", "/api/v1/properties/a%2Fb", {"value": "5", "keep": True})),
        ("accounts role ann operator", ("PATCH", "/api/v1/accounts/ann", {"role": "operator"})),
        ("accounts block ann", ("PATCH", "/api/v1/accounts/ann", {"blocked": True})),
    ],
)
def test_selections_places_times_and_roles_are_options(
    desk: CommandDesk, line: str, request_: tuple[str, str, object]
) -> None:
    done(desk)
    assert desk.run(*line.split())[0] == 0
    assert sent(desk) == request_


def test_change_that_says_not_which_is_wrong_usage(desk: CommandDesk, capsys: pytest.CaptureFixture[str]) -> None:
    assert desk.run("dead", "replay")[0] == 2
    assert "say which: --all" in capsys.readouterr().err
    assert desk.asked == []


def test_queue_that_is_none_is_wrong_usage(desk: CommandDesk) -> None:
    assert desk.run("queues", "move", "callback/joe~1", "--all", "--to", "joe")[0] == 2


def test_password_is_read_from_the_first_line_of_input_and_told_nowhere(
    desk: CommandDesk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("open sesame\n"))
    desk.canned.append(Reply(200, "application/json", {}, b'{"name":"adm","role":"administrator"}'))
    status, output = desk.run("accounts", "passwd", "adm", "--password-stdin")
    assert (status, sent(desk)[2]) == (0, {"password": "open sesame"})
    assert "sesame" not in output + capsys.readouterr().err


def test_what_was_done_in_part_says_so(desk: CommandDesk) -> None:
    desk.canned.append(Reply(200, "application/json", {}, b'{"done":3,"failed":1}'))
    assert desk.run("dead", "replay", "--all")[0] == 7


def test_export_is_the_script_alone(desk: CommandDesk) -> None:
    desk.canned.append(Reply(200, "application/json", {}, b'{"count":1,"script":"<xmlBlaster/>"}'))
    assert desk.run("dead", "export", "--all") == (0, "<xmlBlaster/>\n")


def test_groups_are_a_table(desk: CommandDesk) -> None:
    answer = b'{"total":3,"groups":[{"count":2,"oid":"a"},{"count":1,"oid":"b"}],"complete":true}'
    desk.canned.append(Reply(200, "application/json", {}, answer))
    assert desk.run("dead", "count", "--by", "oid", "--columns", "count,oid") == (0, "2\ta\n1\tb\n")
    assert sent(desk)[1] == "/api/v1/dead-messages/count?groupBy=oid"


def test_entries_are_deleted_of_the_queue_that_was_seen_only(
    desk: CommandDesk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", Screen("yes\n"))
    desk.canned.append(Reply(200, "application/json", {}, b'{"entries":1200,"revision":"3-0"}'))
    done(desk)
    assert desk.run("queues", "delete", "callback/joe~1", "--all", "--to", "dead") == (0, "done\n")
    assert desk.headers == [{}, {"If-Match": "3-0"}]
    assert "it has 1,200 messages; " in capsys.readouterr().err


def test_many_sessions_are_ended_as_many_as_a_dry_run_found(
    desk: CommandDesk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", Screen("yes\n"))
    desk.canned += [
        Reply(200, "application/json", {}, b'{"matched":37}'),
        Reply(200, "application/json", {}, b'{"done":37}'),
    ]
    assert desk.run("sessions", "end-all", "--subject", "test*")[0] == 0
    assert [body for _, _, body in desk.asked] == [
        {"filter": {"subject": "test*"}, "dryRun": True},
        {"filter": {"subject": "test*"}, "expected": 37},
    ]
    assert "it is for 37 of them" in capsys.readouterr().err


def test_sessions_that_nothing_chooses_are_not_ended(desk: CommandDesk) -> None:
    assert desk.run("sessions", "end-all", "--yes")[0] == 2
    assert desk.asked == []


def test_broker_is_ended_after_a_time(desk: CommandDesk) -> None:
    done(desk)
    desk.run("shutdown", "--grace", "2m", "--yes")
    assert sent(desk) == ("POST", "/api/v1/shutdown", {"graceSeconds": 120})
