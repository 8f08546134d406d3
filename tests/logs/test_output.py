"""What reaches the log, and in which form."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from twisted.logger import Logger, LogLevel, capturedLogs, formatEventAsClassicLogText
from twisted.python.failure import Failure

from broker.config.properties import Properties
from broker.config.syntax import Setting
from broker.errors import BrokerError
from broker.logs.audit import NAMESPACE, audit
from broker.logs.lines import as_text
from broker.logs.output import LogOutput
from broker.logs.settings import Level, settings_of
from tests.logs.audit_lines import audit_lines


class Log:
    """A log with properties, and what is in it."""

    def __init__(self, directory: Path, **properties: str) -> None:
        self.path = directory / "broker.log"
        given = [Setting(name.replace("_", "."), value, "test") for name, value in properties.items()]
        self.output = LogOutput(settings_of(Properties(given)), self.path)

    def part(self, namespace: str) -> Logger:
        return Logger(namespace, observer=self.output.observer)

    @property
    def texts(self) -> list[str]:
        """The lines behind their times."""
        return [line.partition(" ")[2] for line in self.path.read_text().splitlines()]


def test_debug_lines_are_left_out_by_default(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.part("broker.native").debug("nobody wants to know")
    log.part("broker.native").info("somebody does")
    assert log.texts == ["[broker.native#info] somebody does"]


@pytest.mark.parametrize(("level", "count"), [("debug", 5), ("info", 4), ("warn", 3), ("error", 2), ("critical", 1)])
def test_a_level_lets_itself_and_what_matters_more_through(tmp_path: Path, level: str, count: int) -> None:
    log = Log(tmp_path, log_level=level)
    for each in LogLevel.iterconstants():
        log.part("broker").emit(each, "x")
    assert len(log.texts) == count


def test_one_part_may_have_a_level_of_its_own(tmp_path: Path) -> None:
    given = {"log.level": "warn", "log.level[broker.core]": "debug"}
    settings = settings_of(Properties([Setting(name, value, "test") for name, value in given.items()]))
    output = LogOutput(settings, tmp_path / "broker.log")
    assert output.levels.of("broker.core.queues") is Level.DEBUG
    assert output.levels.of("broker.corex") is Level.WARN


def test_levels_change_at_any_time(tmp_path: Path) -> None:
    log = Log(tmp_path)
    part = log.part("broker.core.queues")
    log.output.levels.set("broker.core", Level.DEBUG)
    part.debug("on")
    log.output.levels.set("broker.core", Level.INFO)
    part.debug("off")
    assert log.texts == ["[broker.core.queues#debug] on"]


def test_a_level_that_changes_holds_for_lines_as_were_written_before(tmp_path: Path) -> None:
    log = Log(tmp_path)
    part = log.part("broker.core.queues")
    part.info("one")
    log.output.levels.set("broker.core", Level.WARN)
    part.info("two")
    log.output.levels.set("broker.core.queues", Level.INFO)
    part.info("three")
    assert log.texts == ["[broker.core.queues#info] one", "[broker.core.queues#info] three"]


def test_events_without_a_namespace_or_a_level_are_left_out(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.output.observer({"log_level": LogLevel.info, "log_format": "x", "log_time": 1.0})
    log.output.observer({"log_namespace": "broker", "log_format": "x", "log_time": 1.0})
    assert log.texts == []


class Odd:
    """What cannot be written."""

    def __str__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"log_format": "{who} has {count:03}", "who": "joe", "count": 3}, id="fields"),
        pytest.param({"log_format": "two\nlines"}, id="two lines"),
        pytest.param({"log_format": "{when()} is called", "when": lambda: "now"}, id="call"),
        pytest.param({"log_format": "{who.real} {list[0]}", "who": 3, "list": ["x"]}, id="parts of fields"),
        pytest.param({"log_format": "{missing}"}, id="missing field"),
        pytest.param({"log_format": "{who}", "who": Odd()}, id="field that fails"),
        pytest.param({"log_format": "{0} {"}, id="malformed"),
        pytest.param({"log_format": b"bytes"}, id="bytes"),
        pytest.param({"log_format": None}, id="no format"),
        pytest.param({"log_format": ""}, id="empty"),
        pytest.param({"log_format": "x", "log_system": "another"}, id="system"),
        pytest.param({"log_format": "failed", "log_failure": Failure(KeyError("x"))}, id="failure"),
    ],
)
def test_a_line_is_what_twisted_makes_of_its_event(fields: dict[str, object]) -> None:
    event = {"log_time": 1_000_000.0, "log_namespace": "broker.core", "log_level": LogLevel.warn, **fields}
    assert as_text(event) == formatEventAsClassicLogText(event)


def test_a_level_of_a_part_that_is_none_is_refused_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(BrokerError, match=r"log\.level\[broker\]='loud': not one of critical, error"):
        settings_of(Properties([Setting("log.level[broker]", "loud", "test")]))


def test_text_of_a_peer_neither_moves_the_cursor_nor_begins_a_line(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.part("broker").info("{text}", text="a\x1b[2Jb\rc\nd\u202ee")
    assert log.texts[0] == "[broker#info] a\\x1b[2Jb\\x0dc"
    assert log.path.read_text().endswith("\n\td\\u202ee\n")


def test_json_has_an_object_a_line(tmp_path: Path) -> None:
    log = Log(tmp_path, log_format="json")
    log.part("broker").warn("{who} has {count}", who="joe\n", count=3, what=object())
    line = json.loads(log.path.read_text())
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "warn",
        "namespace": "broker",
        "text": "joe\n has 3",
        "fields": {"who": "joe\n", "count": 3},
    }


def test_json_has_the_traceback_of_a_failure(tmp_path: Path) -> None:
    log = Log(tmp_path, log_format="json")
    try:
        raise KeyError("x")
    except KeyError:
        log.part("broker").failure("failed", Failure())
    assert "KeyError: 'x'" in json.loads(log.path.read_text())["traceback"]


class TestFloods:
    def write(self, log: Log, namespace: str, second: int, count: int) -> None:
        for _ in range(count):
            log.output.observer(
                {"log_level": LogLevel.info, "log_namespace": namespace, "log_format": "x", "log_time": float(second)}
            )

    def test_lines_above_a_thousand_in_a_second_are_counted(self, tmp_path: Path) -> None:
        log = Log(tmp_path)
        self.write(log, "broker.a", 1, 1200)
        assert len(log.texts) == 1000
        self.write(log, "broker.a", 2, 1)
        assert log.texts[1000:] == ["[broker.a#warn] 200 more lines in one second are left out", "[broker.a#info] x"]

    def test_other_parts_have_a_thousand_of_their_own(self, tmp_path: Path) -> None:
        log = Log(tmp_path)
        self.write(log, "broker.a", 1, 1200)
        self.write(log, "broker.b", 1, 1)
        assert log.texts[-1] == "[broker.b#info] x"

    def test_no_line_of_the_audit_is_left_out(self, tmp_path: Path) -> None:
        log = Log(tmp_path)
        self.write(log, NAMESPACE, 1, 1200)
        assert len(log.texts) == 1200


def test_line_of_the_audit_quotes_what_is_no_plain_word(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    log = Log(tmp_path)
    monkeypatch.setattr("broker.logs.audit.log", log.part(NAMESPACE))
    audit("login", {"principal": "joe x", "via": "native", "peer": "", "session": "joe/1", "reason": "it's\n"})
    assert log.texts == [
        "[broker.audit#info] login principal='joe x' via=native session=joe/1 reason=\"it's\\n\"",
    ]


def test_rotating_standard_output_does_nothing() -> None:
    output = LogOutput(settings_of(Properties([])), None)
    output.rotate()
    output.reopen()
    assert output.file is None


@pytest.mark.parametrize(("writable", "outcome"), [(True, "done"), (False, "failed")])
def test_rotating_a_file_leaves_a_line_in_the_audit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, writable: bool, outcome: str
) -> None:
    output = LogOutput(settings_of(Properties([])), tmp_path / "broker.log")
    assert output.file is not None

    def refuse() -> None:
        raise PermissionError("read-only")

    if not writable:
        monkeypatch.setattr(output.file, "rotate", refuse)
    with capturedLogs() as logged:
        output.rotate()
    assert audit_lines(logged) == [f"log.rotate via=signal outcome={outcome}"]
