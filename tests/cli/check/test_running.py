"""What ``broker check`` asks a broker that runs."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from broker.cli.check.findings import Finding
from broker.cli.check.running import check_running
from broker.cli.transport import Administration, Reply, UnixAddress
from tests.cli.check.subjects import subject, told

CHECKS = b'{"checks":[{"name":"disk","status":"fail","detail":"full"},{"name":"clock","status":"pass"}]}'


class Answering:
    """A broker that answers."""

    def ask(self, method: str, target: str) -> Reply:
        """Its own checks."""
        assert (method, target) == ("GET", "/health/checks")
        return Reply(503, "application/json", {}, CHECKS)


def check(process: int | None, administration: object) -> list[Finding]:
    return list(check_running(subject(Path("/nowhere"), process=process), cast(Administration, administration)))


def test_its_own_checks_are_told() -> None:
    assert told(check(4711, Answering())) == [("problem", "disk: full"), ("ok", "clock")]


def test_broker_that_cannot_be_asked_is_a_warning(tmp_path: Path) -> None:
    (found,) = check(4711, Administration([UnixAddress(tmp_path / "none")]))
    assert (found.severity, "process 4711 runs here" in found.detail) == ("warning", True)


def test_where_none_runs_nothing_is_asked() -> None:
    assert check(None, None) == []
