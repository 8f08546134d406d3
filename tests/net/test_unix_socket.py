"""Listening on a Unix socket."""

from __future__ import annotations

import grp
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory

from broker.errors import BrokerError, Code
from broker.net.unix_socket import MAX_PATH, credentials_of, open_unix_socket


class FakeReactor:
    """Binds the socket, with the mode that the process gives new files."""

    def __init__(self) -> None:
        self.opened: list[tuple[bytes, int, int]] = []
        self.mode_at_birth = 0
        self.stopped = False
        self.error: OSError | None = None

    def listenUNIX(self, name: bytes, factory: Factory, backlog: int, mode: int) -> Any:
        if self.error is not None:
            raise CannotListenError(None, name, self.error)
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(name)
        self.mode_at_birth = os.stat(name).st_mode & 0o777
        os.chmod(name, mode)
        self.opened.append((name, backlog, mode))
        return self

    def stopListening(self) -> None:
        self.stopped = True


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory whose name is short."""
    made = Path(tempfile.mkdtemp(prefix="s-", dir="/tmp"))
    yield made
    shutil.rmtree(made)


def open_at(path: Path, reactor: FakeReactor | None = None, group: str = "") -> Any:
    return open_unix_socket(reactor or FakeReactor(), path, Factory(), group=group, who="the test", advice="be brief")


def refusal(path: Path, reactor: FakeReactor | None = None, group: str = "") -> BrokerError:
    with pytest.raises(BrokerError) as raised:
        open_at(path, reactor, group)
    return raised.value


def test_file_is_its_owner_s_alone_from_its_birth_on(directory: Path) -> None:
    reactor = FakeReactor()

    open_at(directory / "s", reactor)

    assert reactor.mode_at_birth & 0o077 == 0
    assert (directory / "s").stat().st_mode & 0o777 == 0o600


def test_permissions_of_other_new_files_are_as_before(directory: Path) -> None:
    before = os.umask(0o022)
    os.umask(before)
    open_at(directory / "s")
    assert os.umask(before) == before


def test_group_may_connect_where_one_is_given(directory: Path) -> None:
    own = grp.getgrgid(os.getgid())

    open_at(directory / "s", group=own.gr_name)

    status = (directory / "s").stat()
    assert (status.st_mode & 0o777, status.st_gid) == (0o660, own.gr_gid)


def test_group_that_there_is_not_is_refused(directory: Path) -> None:
    error = refusal(directory / "s", group="no-such-group")
    assert (error.code, "no-such-group" in error.message) == (Code.RESOURCE_CONFIGURATION, True)


def test_socket_that_nobody_listens_on_is_replaced(directory: Path) -> None:
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(directory / "s"))

    assert open_at(directory / "s").opened


def test_socket_that_somebody_listens_on_is_left_alone(directory: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(directory / "s"))
        listening.listen()

        assert "another program listens on it" in refusal(directory / "s").message
    assert (directory / "s").exists()


def test_file_that_is_no_socket_is_left_alone(directory: Path) -> None:
    (directory / "s").write_text("precious")

    assert "no socket" in refusal(directory / "s").message
    assert (directory / "s").read_text() == "precious"


def test_path_that_is_too_long_is_refused_with_advice(directory: Path) -> None:
    error = refusal(directory / ("x" * MAX_PATH))
    assert error.code == Code.RESOURCE_CONFIGURATION_ADDRESS
    assert f"and {MAX_PATH} are possible: be brief" in error.message


def test_longest_path_is_possible(directory: Path) -> None:
    path = directory / ("x" * (MAX_PATH - len(str(directory)) - 1))
    assert open_at(path).opened


def test_error_of_the_system_names_the_path(directory: Path) -> None:
    reactor = FakeReactor()
    reactor.error = PermissionError(13, "Permission denied")
    assert f"the test cannot listen on {directory / 's'}" in refusal(directory / "s", reactor).message


def test_peer_is_known_by_its_process() -> None:
    class Transport:
        def __init__(self, handle: socket.socket) -> None:
            self.getHandle = lambda: handle

    near, far = socket.socketpair(socket.AF_UNIX)
    with near, far:
        assert credentials_of(Transport(near)) == (os.getpid(), os.getuid(), os.getgid())
