"""A case: one piece of work, and how each system is put to it."""

from __future__ import annotations

import contextlib
import json
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.system import Running, Settings, System

Figures = Mapping[str, float]
Run = Callable[["Field", System], Figures]
_QUICK: Mapping[str, float] = {
    "seconds": 0.1,
    "warm_up": 0.2,
    "messages": 0.01,
    "probes": 0.1,
    "clients": 0.02,
    "sessions": 0.01,
}
"""What is left of a number in a quick run, by its name."""
_DRIVER_LIMIT = 1800
_FILES = 65_536
_LOG_SHOWN = 1000


class CaseError(Exception):
    """A driver failed; the text has its last words."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One number that a case gives.

    Args:
        key: its name in the driver's figures.
        title: above its column.
        unit: behind it.
        more_is_better: how two of them compare.
    """

    key: str
    title: str
    unit: str = "/s"
    more_is_better: bool = True


@dataclass(frozen=True, slots=True)
class Case:
    """A piece of work.

    Args:
        name: that ``CASES=`` picks it by.
        group: table that it stands in.
        title: its line in the table.
        figures: the first is what systems are compared by.
        runs: by the name of the system; ``broker`` first.
    """

    name: str
    group: str
    title: str
    figures: Sequence[Figure]
    runs: Mapping[str, Run]


@dataclass(slots=True)
class Field:
    """Where cases are run.

    Args:
        scratch: directory on the disk that is measured.
        quick: small numbers, to see that everything works.
    """

    scratch: Path
    quick: bool = False
    _count: int = field(default=0)

    @contextmanager
    def directory(self) -> Iterator[Path]:
        """A fresh directory, which is removed."""
        self._count += 1
        path = self.scratch / f"run-{self._count}"
        path.mkdir(parents=True)
        try:
            yield path
        finally:
            shutil.rmtree(path)

    @contextmanager
    def started(self, system: System, settings: Settings) -> Iterator[Running]:
        """A system on fresh data, which is ended."""
        with self.directory() as path:
            running = system.start(path, settings)
            try:
                yield running
            except CaseError as error:
                raise CaseError(f"{error}\nlog of {system.name}: {running.process.text()[-_LOG_SHOWN:]}") from None
            finally:
                running.kill()

    def scaled(self, specification: Mapping[str, Any]) -> dict[str, Any]:
        """Numbers of a load, smaller in a quick run."""
        if not self.quick:
            return dict(specification)
        return {key: _less(value, _QUICK[key]) if key in _QUICK else value for key, value in specification.items()}

    def drive(self, load: str, running: Running, protocol: str, specification: Mapping[str, Any]) -> dict[str, float]:
        """Run a driver against a system to its end; returns its figures."""
        driver = Driver(load, running, protocol, self.scaled(specification))
        try:
            return driver.figures()
        finally:
            driver.kill()


class Driver:
    """A driver process.

    Args:
        load: its name in :data:`bench.drive.loads.LOADS`.
        running: the system that it drives.
        protocol: whose port it uses.
        specification: the arguments of the load.
    """

    def __init__(self, load: str, running: Running, protocol: str, specification: Mapping[str, Any]) -> None:
        host, port = running.ports[protocol]
        arguments = {"host": host, "port": port, "watch": list(running.pids), **specification}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.drive", load, json.dumps(arguments)],
            cwd=Path(__file__).parent.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def hear(self) -> dict[str, Any]:
        """Wait for what the driver says in the middle of its load.

        Raises:
            CaseError: it ended instead.
        """
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self.figures()
            raise CaseError("the driver ended too soon")
        said: dict[str, Any] = json.loads(line)
        return said

    def tell(self, **values: Any) -> None:
        """Say something to it."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(values) + "\n")
        self._process.stdin.flush()

    def kill(self) -> None:
        """End it at once, if it runs."""
        self._process.kill()
        self._process.wait()

    def figures(self) -> dict[str, float]:
        """Wait for its end.

        Raises:
            CaseError: it failed.
        """
        try:
            out, errors = self._process.communicate(timeout=_DRIVER_LIMIT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise CaseError(f"the driver did not end in {_DRIVER_LIMIT} s") from None
        if self._process.returncode:
            raise CaseError(f"the driver ended with {self._process.returncode}: {errors.strip()[-1000:]}")
        figures: dict[str, float] = json.loads(out.splitlines()[-1])
        return figures


@dataclass(frozen=True, slots=True)
class Drive:
    """Start a system, drive it, end it: what most cases do.

    Args:
        load: name of the driver's load.
        protocol: whose port is used.
        specification: arguments of the load; in a quick run they are smaller.
        settings: of the system.
    """

    load: str
    protocol: str
    specification: Mapping[str, Any]
    settings: Settings = field(default_factory=dict)

    def __call__(self, where: Field, system: System) -> Figures:
        """Do it."""
        with where.started(system, self.settings) as running:
            return where.drive(self.load, running, self.protocol, self.specification)


def raise_file_limit() -> int:
    """Let this process and its children open as many files as the system grants; returns how many."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < _FILES:
        with contextlib.suppress(ValueError, PermissionError):  # only some may raise it
            resource.setrlimit(resource.RLIMIT_NOFILE, (_FILES, _FILES))
            return _FILES
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def _less(value: float, factor: float) -> float:
    return max(1, round(value * factor)) if isinstance(value, int) else value * factor
