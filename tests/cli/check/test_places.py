"""Data directory, ports, DNS and machine of ``broker check``."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest
from twisted.names.dns import EREFUSED, SRV, Message, Record_SRV, RRHeader

from broker.cli.check import ports
from broker.cli.check.data_directory import check_data, file_system_of
from broker.cli.check.dns import check_dns, first_resolver, read_srv
from broker.cli.check.machine import TIME_ERROR, check_machine, max_connections_of
from broker.cli.check.ports import WantedPort, check_ports, wanted_ports
from tests.cli.check.subjects import subject, told

# The data directory


def test_directory_that_is_not_there_is_made_by_the_first_start(tmp_path: Path) -> None:
    found = list(check_data(subject(tmp_path / "data")))
    assert told(found)[0] == ("ok", f"there is no {tmp_path / 'data'} yet; the first start makes it")
    assert list(tmp_path.iterdir()) == []


def test_directory_that_others_may_look_into_is_a_warning(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    found = [each for each in check_data(subject(tmp_path)) if each.severity == "warning"]
    assert [each.what_to_do for each in found] == [f"chmod 700 {tmp_path}"]


def test_file_in_the_place_of_the_directory_is_a_problem(tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.touch()
    assert told(list(check_data(subject(file)))) == [("problem", f"{file} is no directory")]


def test_check_leaves_nothing_in_the_directory(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    list(check_data(subject(tmp_path)))
    assert list(tmp_path.iterdir()) == []


MOUNTS = r"""
22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
23 22 0:5 / /srv/my\040data rw shared:1 - nfs4 server:/x rw
24 23 0:6 / /srv/my\040data/fast rw - tmpfs tmpfs rw
"""


@pytest.mark.parametrize(
    ("directory", "kind"),
    [("/srv", "ext4"), ("/srv/my data/x", "nfs4"), ("/srv/my data/fast", "tmpfs"), ("/srv/my", "ext4")],
)
def test_file_system_is_that_of_the_longest_mount_point(directory: str, kind: str) -> None:
    assert file_system_of(Path(directory), MOUNTS) == kind


def test_directory_in_memory_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text("22 1 0:6 / / rw - tmpfs tmpfs rw\n")
    monkeypatch.setattr("broker.cli.check.data_directory.MOUNTS", mounts)
    assert "problem" in [each.severity for each in check_data(subject(tmp_path))]


# Ports


def test_ports_are_those_of_the_plugins_that_would_be_started(tmp_path: Path) -> None:
    settings = {"plugin/xmpp/directTlsPort": "-1", "plugin/admin/metricsPort": "9100", "plugin/socket/hostname": "::1"}
    assert [str(each) for each in wanted_ports(subject(tmp_path, settings))] == [
        "127.0.0.1:7609 (ADMIN)",
        "127.0.0.1:9100 (ADMIN)",
        "[::1]:7607 (SOCKET)",
        "127.0.0.1:5222 (XMPP)",
    ]


def test_ports_for_managers_are_wanted_with_a_secret_only(tmp_path: Path) -> None:
    numbers = [each.number for each in wanted_ports(subject(tmp_path, {"xmpp.managers.secret": "x"}))]
    assert numbers[-2:] == [5262, 5263]


@pytest.mark.parametrize(
    ("owner", "severity", "text"),
    [(None, "problem", "another program"), (1, "problem", "(process 1)"), (4711, "ok", "is open, by this broker")],
)
def test_port_in_use_is_told_by_whom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: int | None, severity: str, text: str
) -> None:
    def in_use(wanted: WantedPort) -> None:
        raise OSError(98, "Address already in use")

    monkeypatch.setattr(ports, "_try", in_use)
    found = list(check_ports(subject(tmp_path, process=4711), lambda port: owner))
    assert {each.severity.value for each in found} == {severity}
    assert text in found[0].detail
    assert severity == "ok" or "the options of the broker that runs here" in found[0].what_to_do


def test_port_that_cannot_be_opened_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(wanted: WantedPort) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(ports, "_try", refused)
    assert {each.severity.value for each in check_ports(subject(tmp_path))} == {"problem"}


# DNS

SETTINGS = {"xmpp.domain": "example.org"}


def records(name: str) -> list[tuple[str, int]]:
    return [("xmpp.example.org", 5222)] if "_xmpp-client" in name else [("xmpp.example.org", 5223)]


def test_records_that_lead_to_the_ports_are_good(tmp_path: Path) -> None:
    found = list(check_dns(subject(tmp_path, SETTINGS), records, lambda host: True))
    assert told(found) == [
        ("ok", "_xmpp-client._tcp.example.org says xmpp.example.org:5222"),
        ("ok", "_xmpps-client._tcp.example.org says xmpp.example.org:5223"),
    ]


def test_record_of_another_port_is_a_warning(tmp_path: Path) -> None:
    found = list(check_dns(subject(tmp_path, {**SETTINGS, "plugin/xmpp/port": "5300"}), records, lambda host: True))
    assert [each.severity.value for each in found] == ["warning", "ok"]


def test_host_without_an_address_is_a_problem(tmp_path: Path) -> None:
    found = list(check_dns(subject(tmp_path, SETTINGS), records, lambda host: False))
    assert {each.severity.value for each in found} == {"problem"}


@pytest.mark.parametrize(("resolves", "severity"), [(True, "ok"), (False, "problem")])
def test_domain_without_records_must_have_an_address(tmp_path: Path, resolves: bool, severity: str) -> None:
    found = list(check_dns(subject(tmp_path, SETTINGS), lambda name: [], lambda host: resolves))
    assert [each.severity.value for each in found] == [severity]


def test_localhost_need_not_be_found(tmp_path: Path) -> None:
    def nobody(name: str) -> list[tuple[str, int]]:
        raise AssertionError

    assert [each.severity.value for each in check_dns(subject(tmp_path), nobody)] == ["ok"]


def test_resolver_that_does_not_answer_is_a_warning(tmp_path: Path) -> None:
    def silent(name: str) -> list[tuple[str, int]]:
        raise TimeoutError("timed out")

    found = list(check_dns(subject(tmp_path, SETTINGS), silent, lambda host: True))
    assert [each.severity.value for each in found] == ["warning", "warning", "ok"]


def test_answers_of_a_resolver_are_read() -> None:
    answer = Message(answer=1)
    header = RRHeader("_xmpp-client._tcp.example.org", SRV, payload=Record_SRV(0, 5, 5222, "xmpp.example.org"))
    answer.answers = [header]
    assert read_srv(answer.toStr()) == [("xmpp.example.org", 5222)]
    for odd in (b"", b"\x00" * 11, Message(rCode=EREFUSED).toStr()):
        with pytest.raises(OSError):
            read_srv(odd)


def test_record_that_says_there_is_no_service_has_the_root_as_its_host() -> None:
    answer = Message(answer=1)
    answer.answers = [RRHeader("_x._tcp.a", SRV, payload=Record_SRV(0, 0, 0, b""))]
    assert read_srv(answer.toStr()) == [(".", 0)]


@pytest.mark.parametrize(
    ("text", "address"),
    [("# x\nsearch a\nnameserver fe80::1%eth0\nnameserver 192.0.2.1\n", "fe80::1"), ("", None), ("nameserver\n", None)],
)
def test_first_resolver_is_asked(text: str, address: str | None) -> None:
    assert first_resolver(text) == address


# The machine


def test_limit_of_files_below_that_of_connections_is_a_warning(tmp_path: Path) -> None:
    broker = subject(tmp_path, {"plugin/socket/maxConnections": "10", "plugin/xmpp/maxConnections": "20"})
    assert max_connections_of(broker) == 10 + 20 + 100_000
    over_http = subject(tmp_path, {"plugin/web/port": "5280", "plugin/web/maxConnections": "30"})
    assert max_connections_of(over_http) == 3 * 100_000 + 30
    for files, severity in ((1000, "warning"), (200_000, "ok"), (resource.RLIM_INFINITY, "ok")):
        assert next(iter(check_machine(broker, files, clock_state=lambda: 0))).severity == severity


def test_clock_that_nothing_keeps_right_is_a_warning(tmp_path: Path) -> None:
    *_, found = check_machine(subject(tmp_path), clock_state=lambda: TIME_ERROR)
    assert found.severity == "warning"


def test_clock_behind_the_database_is_a_problem(tmp_path: Path) -> None:
    database = tmp_path / "broker.db"
    database.touch()
    os.utime(database, (10_000, 10_000))
    *_, found = check_machine(subject(tmp_path), now=lambda: 9_000, clock_state=lambda: 0)
    assert (found.severity, "1,000 s in the future" in found.detail) == ("problem", True)
