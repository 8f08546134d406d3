"""Starts, kills and restarts real broker processes for the system tests."""

from __future__ import annotations

import atexit
import contextlib
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self

READY = re.compile(r"^ready: run level (?P<level>\d+) \((?P<name>\w+)\)(?P<ports>.*)$", re.MULTILINE)
PORT = re.compile(r", (?P<name>[^,]+) \[?(?P<host>[^ ,\]]+)\]?:(?P<port>\d+)(?=,|$)")
ANY_PORTS = {"plugin/socket/port": "0", "plugin/xmpp/port": "0", "plugin/xmpp/directTlsPort": "0"}
LOCAL_PORTS = Path("/proc/sys/net/ipv4/ip_local_port_range")
LOWEST_PORT = 10_000
MAX_PATH = 107
"""Bytes of the path of a Unix socket; the directories of tests have long names."""
POLL = 0.02
"""Seconds between two looks at a process."""

_held: dict[int, socket.socket] = {}
_random = random.SystemRandom()
"""Tests may seed the shared generator, and would all look at the same ports."""


def lasting_port() -> int:
    """A free port that no connection gets as its own while the broker that listens on it is down.

    It is this process's until :func:`give_back`, whoever else looks for one: a socket stays bound to it. That one
    allows reuse, so that a broker, which does so too, can listen there; the probe does not, and finds it taken.
    """
    first_local = int(LOCAL_PORTS.read_text().split()[0]) if LOCAL_PORTS.exists() else 32_768
    while True:
        port = _random.randrange(LOWEST_PORT, max(first_local, 2 * LOWEST_PORT))
        held = socket.socket()
        try:
            held.bind(("127.0.0.1", port))
        except OSError:
            held.close()
            continue
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _held[port] = held
        return port


def give_back(ports: Iterable[int]) -> None:
    """Let others have ports of :func:`lasting_port`; those that are nobody's are passed over."""
    for port in ports:
        held = _held.pop(port, None)
        if held is not None:
            held.close()


class LaunchError(Exception):
    """The process ended, or did not say in time that it is ready; the text ends with its log."""


def environment_python() -> str:
    """The interpreter of the environment under test: ``BROKER_TEST_PYTHON``, else the one that runs the tests."""
    return os.environ.get("BROKER_TEST_PYTHON", sys.executable)


def command(name: str) -> str:
    """A console script (``broker``, ``twistd``) of the environment under test."""
    return str(Path(environment_python()).parent / name)


def ports_of(line: str, pattern: re.Pattern[str] = READY) -> dict[str, tuple[str, int]]:
    """The listening ports that a ready line names, as ``name -> (host, port)``."""
    ready = pattern.search(line)
    if ready is None:
        raise ValueError(f"not a ready line: {line!r}")
    return {match["name"]: (match["host"], int(match["port"])) for match in PORT.finditer(ready["ports"])}


def wait_until(condition: Callable[[], bool], timeout: float = 30.0) -> None:
    """Wait until a condition holds.

    Raises:
        LaunchError: it still does not after ``timeout`` seconds.
    """
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise LaunchError(f"nothing happened in {timeout} s")
        time.sleep(POLL)


@cache
def _data_with_accounts(names: tuple[str, ...]) -> Path:
    """A data directory, made once in a process, of a broker that has never run and has accounts."""
    directory = Path(tempfile.mkdtemp(prefix="broker-accounts-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    broker = BrokerProcess(directory / "data")
    try:
        for name in names:
            broker.add_account(name)
    finally:
        broker.close()
    return broker.data


class BrokerProcess:
    """One broker on one data directory, started as a user would start it and killed as a power cut would.

    Use it as a context manager, or call :meth:`start` and :meth:`close`. The process has a group of its own, which is
    killed at the latest when the interpreter ends. It runs in the data directory's parent, so that an installed
    broker is tested and not the tree that the tests are in.

    Args:
        data: the data directory; the log is written beside it as ``broker.log``.
        settings: properties for ``--set``. Plugin ports should be 0 here: a restart takes the ports of the first
            start again, so that clients find the broker where it was. Those of the package's own plugin file are.
        arguments: more command line arguments, e.g. ``["--plugins", "plugins.xml"]``.
        launch: the command before ``--data``.
        environment: variables beside those of this process; may be changed between two starts.
        timeout: seconds to wait for the ready line and for an orderly end.

    Attributes:
        admin_socket: the Unix socket of administration.
    """

    ready = READY
    """The line that says that it is ready."""
    port_properties: Mapping[str, str] = ANY_PORTS
    """That give its ports."""
    fixed_properties: Mapping[str, str] = {"plugin/admin/port": "-1"}
    """Of the package's own plugin file: its Unix socket is enough for most."""

    def __init__(
        self,
        data: Path,
        *,
        settings: Mapping[str, str] | None = None,
        arguments: Sequence[str] = (),
        launch: Sequence[str] | None = None,
        environment: Mapping[str, str] | None = None,
        timeout: float = 30.0,
    ) -> None:
        self.data = data
        self._held = [] if "--plugins" in arguments else [lasting_port() for _ in self.port_properties]
        ports = dict(zip(self.port_properties, map(str, self._held), strict=False))
        fixed = {} if "--plugins" in arguments else dict(self.fixed_properties)
        self.admin_socket = data / "admin.sock"
        self._short: Path | None = None
        if fixed and len(os.fsencode(self.admin_socket.absolute())) > MAX_PATH:
            self._short = Path(tempfile.mkdtemp(prefix="broker-"))
            self.admin_socket = self._short / "admin.sock"
            fixed["plugin/admin/socket"] = str(self.admin_socket)
        self.settings = {**fixed, **ports, **(settings or {})}
        self.arguments = list(arguments)
        self.launch = [command("broker"), "run"] if launch is None else list(launch)
        self.environment = dict(environment or {})
        self.timeout = timeout
        self.log_path = data.parent / "broker.log"
        self.ports: dict[str, tuple[str, int]] = {}
        self.on_close: list[Callable[[], object]] = []
        """What ends with it, e.g. connections of clients."""
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """The process id of the running broker."""
        return self._running().pid

    @property
    def running(self) -> bool:
        """Whether there is a process."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_status(self) -> int | None:
        """Of the last process; ``None`` while it runs."""
        return None if self._process is None else self._process.poll()

    def start(self) -> None:
        """Start the broker and wait until it is ready."""
        self.spawn()
        self.wait_ready()

    def spawn(self) -> None:
        """Start the broker without waiting, e.g. to kill it while it recovers."""
        if self.running:
            raise LaunchError(f"already running as {self.pid}")
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        with self.log_path.open("ab") as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(
                [*self.launch, "--data", str(self.data), *self._set_arguments(), *self.arguments],
                cwd=self.data.parent,
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        atexit.register(self._kill_group)

    def wait_ready(self) -> None:
        """Wait for the ready line and note the ports that it names."""
        ready = self.wait_for_log(self.ready)
        self.ports = ports_of(ready.group(), self.ready)

    def wait_for_log(self, pattern: str | re.Pattern[str]) -> re.Match[str]:
        """Wait until this run's log has a match for ``pattern``.

        Raises:
            LaunchError: the process ended first, or the time is over.
        """
        process = self._running()
        deadline = time.monotonic() + self.timeout
        while True:
            ended = process.poll() is not None  # before the log is read, so that its last words are seen
            match = re.search(pattern, self.log())
            if match is not None:
                return match
            if ended:
                raise LaunchError(f"ended with status {process.returncode}:\n{self.log()}")
            if time.monotonic() > deadline:
                raise LaunchError(f"no {pattern!r} in {self.timeout} s:\n{self.log()}")
            time.sleep(POLL)

    def log(self) -> str:
        """What this run has written so far to standard output and standard error, whole lines only."""
        with self.log_path.open("rb") as log:
            log.seek(self._log_start)
            text = log.read()
        return text[: text.rfind(b"\n") + 1].decode("utf-8", "replace")

    def address(self, name: str = "SOCKET") -> tuple[str, int]:
        """Host and port of a listening port; the loopback address where it listens on all."""
        host, port = self.ports[name]
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port

    def named_address(self) -> tuple[str, int]:
        """Host and port that its settings name for native clients, whether it listens there yet or not."""
        return "127.0.0.1", int(self.settings["plugin/socket/port"])

    def kill(self) -> None:
        """End it at once, as ``kill -9`` or a power cut does, and wait until it is gone."""
        self._running()
        self._kill_group()

    def terminate(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask for an orderly end and wait for it.

        Args:
            number: of the signal that asks.

        Returns:
            The exit status as :attr:`subprocess.Popen.returncode` has it; twistd ends by the signal, hence -15.
        """
        process = self._running()
        process.send_signal(number)
        try:
            return process.wait(self.timeout)
        except subprocess.TimeoutExpired:
            self._kill_group()
            raise LaunchError(f"did not end in {self.timeout} s:\n{self.log()}") from None

    def restart(self) -> None:
        """Kill it if it runs, and start it again on the same data and the same ports."""
        if self.running:
            self.kill()
        self.start()

    def close(self) -> None:
        """Kill whatever is left of the process group."""
        while self.on_close:
            self.on_close.pop()()
        self._kill_group()
        give_back(self._held)
        if self._short is not None:
            shutil.rmtree(self._short, ignore_errors=True)
        atexit.unregister(self._kill_group)

    def run_command(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run the ``broker`` command on the same data directory, e.g. ``("user", "list")``."""
        return subprocess.run(
            [command("broker"), "--data", str(self.data), *arguments],
            cwd=self.data.parent,
            input=stdin,
            text=True,
            capture_output=True,
            timeout=self.timeout,
            check=False,
        )

    def add_accounts(self, *names: str, arguments: Sequence[str] = ()) -> None:
        """Accounts with the password ``secret``; before the first start they cost next to nothing.

        Args:
            names: of the accounts.
            arguments: before the command, e.g. where the store is.
        """
        if not arguments and not self.data.exists():
            shutil.copytree(_data_with_accounts(names), self.data)
            return
        for name in names:
            self.add_account(name, arguments=arguments)

    def add_account(self, name: str, *, arguments: Sequence[str] = ()) -> None:
        """An account with the password ``secret``, made by the ``broker`` command."""
        added = self.run_command(*arguments, "user", "add", name, "--password-stdin", stdin="secret\n")
        assert added.returncode == 0, added.stderr

    def _set_arguments(self) -> Iterable[str]:
        taken = {self.port_property(name): str(port) for name, (_, port) in self.ports.items()}
        for key, value in self.settings.items():
            yield from ("--set", f"{key}={taken.get(key, value)}")

    def port_property(self, name: str) -> str:
        """The property that gives a port."""
        plugin = name.lower().removesuffix("-tls")
        return f"plugin/{plugin}/{'directTlsPort' if name.endswith('-TLS') else 'port'}"

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise LaunchError("never started")
        return self._process

    def _kill_group(self) -> None:
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):  # nothing is left
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
