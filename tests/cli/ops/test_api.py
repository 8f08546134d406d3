"""``broker api``, and what is told of refusals."""

from __future__ import annotations

import io
import json
import sys
from types import SimpleNamespace

import pytest

from broker.cli.transport import Reply
from broker.errors import BrokerError, Code
from tests.cli.ops.desk import CommandDesk


def problem(status: int, detail: str, **more: object) -> Reply:
    return Reply(status, "application/problem+json", {}, json.dumps({"detail": detail, **more}).encode())


def test_answer_is_printed_as_it_comes(desk: CommandDesk) -> None:
    status, output = desk.run("api", "GET", "/me")
    assert (status, json.loads(output)["role"]) == (0, "administrator")


def test_path_of_the_api_may_be_left_out_and_health_is_outside_of_it(desk: CommandDesk) -> None:
    for path in ("me", "/me", "/api/v1/me", "/health/live"):
        assert desk.run("api", "get", path)[0] == 0
    assert [target for _, target, _ in desk.asked] == ["/api/v1/me"] * 3 + ["/health/live"]


def test_refusal_is_printed_too_and_fails(desk: CommandDesk) -> None:
    status, output = desk.run("api", "GET", "/sessions?limt=1")
    assert (status, json.loads(output)["code"]) == (2, "user.illegalArgument")


def test_body_is_an_object_of_json_maybe_from_standard_input(
    desk: CommandDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.canned += [Reply(200, "", {}, b""), Reply(200, "", {}, b"")]
    desk.run("api", "POST", "/x", '{"a":1}')
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b'{"b":2}')))
    desk.run("api", "POST", "/x", "-")
    assert [body for _, _, body in desk.asked] == [{"a": 1}, {"b": 2}]
    assert desk.run("api", "POST", "/x", "[1")[0] == 2


@pytest.mark.parametrize("path", ["/a b", "/\u00e9", "/a\n"])
def test_path_that_no_request_can_have_is_wrong_usage(desk: CommandDesk, path: str) -> None:
    assert desk.run("api", "GET", path)[0] == 2
    assert desk.asked == []


@pytest.mark.parametrize(("status", "exit_status"), [(400, 2), (401, 4), (403, 4), (404, 1), (409, 1), (503, 1)])
def test_exit_status_tells_what_kind_of_refusal_it_was(
    desk: CommandDesk, status: int, exit_status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.canned.append(problem(status, "no"))
    assert desk.run("whoami")[0] == exit_status
    assert capsys.readouterr().err.startswith("broker: no\n")


def test_each_part_of_a_request_that_is_wrong_is_told(desk: CommandDesk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.canned.append(problem(400, "two are wrong", errors=[{"pointer": "query:a", "detail": "is\x1b odd"}]))
    desk.run("whoami")
    assert "  query:a: is" in capsys.readouterr().err


def test_who_asks_over_a_port_without_a_token_is_told_of_it(
    desk: CommandDesk, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.canned.append(problem(401, "nobody is logged in"))
    desk.run("whoami")
    assert "--token-file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "exit_status", "hint"),
    [
        (BrokerError(Code.COMMUNICATION_NO_CONNECTION, "nobody is there"), 3, "--data DIR"),
        (BrokerError(Code.COMMUNICATION_NO_CONNECTION, "x CERTIFICATE_VERIFY_FAILED"), 3, "--ca FILE"),
        (BrokerError(Code.COMMUNICATION, "the answer is odd"), 3, "the answer is odd"),
        (BrokerError(Code.COMMUNICATION_RESPONSE_TIMEOUT, "no answer"), 5, "no answer"),
        (BrokerError(Code.USER_NOT_AUTHORIZED, "you may not"), 4, "you may not"),
    ],
)
def test_broker_that_is_not_reached_is_told_with_what_to_do(
    desk: CommandDesk, error: BrokerError, exit_status: int, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.canned.append(error)
    assert desk.run("status")[0] == exit_status
    assert hint in capsys.readouterr().err


def test_answer_that_is_not_of_a_broker_is_told_as_such(desk: CommandDesk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.canned.append(Reply(404, "text/html", {}, b"<html>"))
    assert desk.run("status")[0] == 1
    desk.canned.append(Reply(200, "text/html", {}, b"<html>"))
    assert desk.run("status")[0] == 3
    assert "is this a broker's port?" in capsys.readouterr().err
