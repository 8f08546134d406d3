"""``broker status``, ``health`` and ``metrics``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from broker.cli.ops.metrics import families
from broker.cli.transport import Reply
from tests.cli.ops.desk import CommandDesk


def test_status_is_told_in_a_few_lines(desk: CommandDesk) -> None:
    desk.world.client("joe")
    status, output = desk.run("status")
    told = dict(line.split("\t") for line in output.splitlines())
    assert status == 0
    assert told["broker"].startswith("broker: ready, run level 9 (RUNNING), up ")
    assert told["topics"] == "0 topics, 0 subscriptions, 1 login name"


def test_status_is_told_while_the_broker_comes_up(desk: CommandDesk) -> None:
    desk.run_level(3)
    status, output = desk.run("status")
    assert (status, "not ready, run level 3" in output) == (0, True)


def test_status_as_json_is_that_of_the_api(desk: CommandDesk) -> None:
    told = json.loads(desk.run("status", "--json")[1])
    assert told["runLevel"] == {"level": 9, "name": "RUNNING"}


def test_alarms_and_a_failing_store_are_told(desk: CommandDesk) -> None:
    overview = json.loads(desk.run("status", "--json")[1])
    overview["alarms"] = [{"code": "queueNearlyFull", "severity": "warning", "detail": "3 queues above 90 %"}]
    overview["store"] = {"failing": True, "failingSeconds": 75, "backlogBytes": 2_500_000}
    desk.canned.append(Reply(200, "application/json", {}, json.dumps(overview).encode()))
    _, output = desk.show("status")
    assert "warning queueNearlyFull: 3 queues above 90 %" in output
    assert "nothing is committed for 1 min 15 s, 2.5 MB wait for their commit" in output


def test_broker_that_is_ready_is_health(desk: CommandDesk) -> None:
    assert desk.run("health") == (0, "ready\n")
    assert desk.run("health", "live") == (0, "live, running\n")


def test_broker_that_is_not_ready_is_status_6_with_the_reason(desk: CommandDesk) -> None:
    desk.run_level(6)
    assert desk.run("health") == (6, "not ready\n  runLevel: the broker is at run level 6 (CLEANUP)\n")
    assert desk.run("health", "--quiet") == (6, "")
    assert desk.run("health", "live", "--quiet") == (0, "")


def test_health_that_there_is_not_fails(desk: CommandDesk, capsys: pytest.CaptureFixture[str]) -> None:
    assert desk.run("health", "alive")[0] == 1
    assert "there is no check alive" in capsys.readouterr().err


CHECKS = (
    b'{"status":"fail","checks":[{"name":"disk","status":"fail","detail":"full"},{"name":"clock","status":"pass"}]}'
)


def test_checks_are_a_line_each(desk: CommandDesk) -> None:
    desk.canned.append(Reply(503, "application/json", {}, CHECKS))
    assert desk.run("health", "checks") == (6, "fail  disk: full\npass  clock\n")


FINDING = {
    "code": "diskFillsUp",
    "severity": "warning",
    "title": "1 GB is free",
    "whatToDo": "make room",
    "evidence": {"freeBytes": 1_000_000_000},
}


@pytest.mark.parametrize(("severity", "status"), [("critical", 6), ("warning", 6), ("notice", 0)])
def test_diagnosis_tells_what_to_do_and_is_status_6_where_there_is_something_to_do(
    desk: CommandDesk, severity: str, status: int
) -> None:
    answer = json.dumps({"findings": [{**FINDING, "severity": severity}]}).encode()
    desk.canned.append(Reply(200, "application/json", {}, answer))
    assert desk.run("diagnose") == (
        status,
        f"{severity.upper()} diskFillsUp: 1 GB is free\n  freeBytes: 1.0 GB\n  What to do: make room\n",
    )


def test_broker_with_which_nothing_is_wrong_says_so(desk: CommandDesk) -> None:
    desk.canned.append(Reply(200, "application/json", {}, b'{"findings":[]}'))
    assert desk.run("diagnose") == (0, "nothing is wrong\n")


def test_bundle_is_written_where_nobody_else_can_read_it(desk: CommandDesk, tmp_path: Path) -> None:
    desk.canned.append(Reply(200, "application/zip", {}, b"PK\x03\x04"))
    file = tmp_path / "broker.zip"
    assert desk.run("diagnose", "--bundle", str(file), "--anonymise") == (0, "")
    assert desk.asked == [("POST", "/api/v1/diagnose/bundle", {"anonymise": True})]
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (b"PK\x03\x04", 0o600)


def test_bundle_that_is_refused_leaves_no_file(desk: CommandDesk, tmp_path: Path) -> None:
    desk.canned.append(Reply(403, "application/problem+json", {}, b'{"detail":"not for you"}'))
    status, _ = desk.run("diagnose", "--bundle", str(tmp_path / "broker.zip"))
    assert status != 0
    assert list(tmp_path.iterdir()) == []


EXPOSITION = """\
# HELP broker_ready Whether it is.
# TYPE broker_ready gauge
broker_ready 1.0
# HELP broker_queue_entries Entries.
# TYPE broker_queue_entries gauge
broker_queue_entries{place="disk"} 2.0
"""


def test_families_of_an_exposition_are_told_apart() -> None:
    assert [(name, lines[-1]) for name, lines in families(EXPOSITION)] == [
        ("broker_ready", "broker_ready 1.0"),
        ("broker_queue_entries", 'broker_queue_entries{place="disk"} 2.0'),
    ]


def test_metrics_are_chosen_by_name(desk: CommandDesk, capsys: pytest.CaptureFixture[str]) -> None:
    for name, lines in (("broker_ready", 3), ("broker_*", 6)):
        desk.canned.append(Reply(200, "text/plain", {}, EXPOSITION.encode()))
        status, output = desk.run("metrics", name)
        assert (status, len(output.splitlines())) == (0, lines)
    desk.canned.append(Reply(200, "text/plain", {}, EXPOSITION.encode()))
    assert desk.run("metrics", "nothing")[0] == 1
    assert "there is no metric nothing" in capsys.readouterr().err
