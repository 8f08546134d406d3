"""Listeners, and reading their certificates again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from broker.admin.actions.change import ChangeDesk
from broker.admin.actions.listeners import listener_operations
from broker.net.certificate import self_signed
from broker.net.limits import Limits
from broker.net.listener import Listener
from broker.net.tls import ServerContext, server_context
from broker.net.transport import TransportSettings
from broker.net.turns import Turns
from tests.admin.api.desk import STRANGER, Desk
from tests.core.world import WALL_AHEAD
from tests.net.http.conversation import Received


class Doors:
    """A broker with a listener for TLS and one without."""

    def __init__(self, directory: Path, uid: int = 0) -> None:
        self.desk = Desk(uid=uid)
        self.clock = self.desk.world.clock
        self.clock.advance(1_800_000_000 - self.clock.seconds())
        self.pem = self_signed(directory, "localhost", self.clock.seconds() + WALL_AHEAD)
        self.tls = server_context(self.pem)
        self.add("SOCKET", self.tls)
        self.add("PLAIN", None)

    def add(self, name: str, tls: ServerContext | None) -> None:
        settings = TransportSettings(
            self.clock, Turns(self.clock), Limits(max_connections=10), tls=tls, direct_tls=tls is not None
        )
        listener: Any = Listener(lambda connection, host: None, settings)  # type: ignore[arg-type, return-value]
        self.desk.fake.doors.append((name, listener))

    def ask(self, path: str, method: str = "GET") -> Received:
        operations = listener_operations(ChangeDesk(self.desk.instance, self.desk.gate))
        return self.desk.ask(operations, f"/api/v1/listeners{path}", method)

    def renew(self, directory: Path) -> None:
        directory.mkdir()
        self.pem.write_bytes(self_signed(directory, "other.example", self.clock.seconds() + WALL_AHEAD).read_bytes())


@pytest.fixture
def doors(tmp_path: Path) -> Doors:
    return Doors(tmp_path)


def test_listeners_are_told_with_their_ports_and_the_certificates_that_they_show(doors: Doors) -> None:
    plain, socket = doors.ask("").json["items"]
    assert (plain["name"], plain["open"], "tls" in plain) == ("PLAIN", False, False)
    assert (socket["name"], socket["plugin"], socket["open"], socket["port"]) == ("SOCKET", "SOCKET", True, 7607)
    assert (socket["connections"], socket["maxConnections"]) == (0, 10)
    tls = socket["tls"]
    assert (tls["mode"], tls["names"][0], tls["selfSigned"]) == ("direct", "localhost", True)
    assert (tls["file"], tls["fileChanged"]) == (str(doors.pem), False)
    assert tls["daysLeft"] > 300


def test_file_that_is_another_one_is_told_until_it_is_read(doors: Doors, tmp_path: Path) -> None:
    before = doors.ask("/SOCKET").json["tls"]["fingerprintSha256"]
    doors.renew(tmp_path / "new")
    assert doors.ask("/SOCKET").json["tls"]["fileChanged"] is True

    answer = doors.ask("/SOCKET/reload-tls", "POST")

    assert answer.status == 200, answer.body
    assert (answer.json["tls"]["names"][0], answer.json["tls"]["fileChanged"]) == ("other.example", False)
    assert answer.json["tls"]["fingerprintSha256"] != before


@pytest.mark.parametrize("damage", ["rubbish", "gone"])
def test_file_that_cannot_be_used_changes_nothing(doors: Doors, damage: str) -> None:
    before = doors.ask("/SOCKET").json["tls"]["fingerprintSha256"]
    context = doors.tls.getContext()
    doors.pem.unlink() if damage == "gone" else doors.pem.write_text(damage)

    answer = doors.ask("/SOCKET/reload-tls", "POST")

    assert answer.status == 409
    assert answer.json["detail"].endswith("what was read before stays in use")
    assert doors.ask("/SOCKET").json["tls"]["fingerprintSha256"] == before
    assert doors.tls.getContext() is context


@pytest.mark.parametrize(("name", "status"), [("PLAIN", 409), ("ODD", 404)])
def test_listener_without_tls_and_one_that_there_is_not_are_refused(doors: Doors, name: str, status: int) -> None:
    assert doors.ask(f"/{name}/reload-tls", "POST").status == status


def test_monitoring_reads_and_changes_nothing(tmp_path: Path) -> None:
    doors = Doors(tmp_path, uid=STRANGER)
    assert (doors.ask("").status, doors.ask("/SOCKET/reload-tls", "POST").status) == (200, 403)
