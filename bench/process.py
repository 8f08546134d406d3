"""Server processes: started in groups of their own, and ended with everything that they started."""

from __future__ import annotations

import atexit
import contextlib
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.procfs import group_of, process_ids

_POLL = 0.005
_PATIENCE = 60.0


class ProcessError(Exception):
    """A process ended, or did not come up; the text ends with its log."""


class Process:
    """A running process.

    Args:
        command: that starts it; it stays in the foreground.
        log: file for its output.
        directory: where it runs.
        environment: in addition to that of the bench.
    """

    def __init__(
        self, command: Sequence[str], log: Path, directory: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.log = log
        with log.open("wb") as out:
            self._process = subprocess.Popen(
                command,
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**_clean_environment(), **(environment or {})},
                start_new_session=True,
            )
        atexit.register(self.kill)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def text(self) -> str:
        """What it has written so far."""
        return self.log.read_text("utf-8", "replace")

    def check(self) -> None:
        """Look whether it still runs.

        Raises:
            ProcessError: it does not.
        """
        if self._process.poll() is not None:
            raise ProcessError(f"{self._process.args!r} ended with {self._process.returncode}:\n{self.text()[-3000:]}")

    def wait_for_text(self, pattern: re.Pattern[str], patience: float = _PATIENCE) -> re.Match[str]:
        """Wait until it has written something.

        Raises:
            ProcessError: the process ended, or the time is over.
        """
        deadline = time.monotonic() + patience
        while True:
            found = pattern.search(self.text())
            if found is not None:
                return found
            self.check()
            if time.monotonic() > deadline:
                raise ProcessError(
                    f"{self._process.args!r} does not say so in {patience:.0f} s:\n{self.text()[-3000:]}"
                )
            time.sleep(_POLL)

    def members(self) -> list[int]:
        """Process ids of all that it has started, and its own."""
        return [pid for pid in process_ids() if group_of(pid) == self._process.pid]

    def wait_for_port(self, host: str, port: int, patience: float = _PATIENCE) -> None:
        """Wait until a port takes connections.

        Raises:
            ProcessError: the process ended, or the time is over.
        """
        deadline = time.monotonic() + patience
        while True:
            self.check()
            with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=1):
                return
            if time.monotonic() > deadline:
                raise ProcessError(f"{self._process.args!r} does not listen on {host}:{port}:\n{self.text()[-3000:]}")
            time.sleep(_POLL)

    def terminate(self, patience: float = _PATIENCE) -> None:
        """Ask for an orderly end, and wait for it; then end what is left.

        Raises:
            ProcessError: the time is over.
        """
        self._process.terminate()
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            raise ProcessError(f"{self._process.args!r} does not end in {patience:.0f} s") from None
        finally:
            self.kill()

    def kill(self) -> None:
        """End it and all that it started, as ``kill -9`` does."""
        with contextlib.suppress(ProcessLookupError):  # nothing is left
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        atexit.unregister(self.kill)


def _clean_environment() -> dict[str, str]:
    """That of the bench, without what would configure a broker."""
    return {key: value for key, value in os.environ.items() if not key.startswith("BROKER_")}
