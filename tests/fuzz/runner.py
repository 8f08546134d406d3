"""Runs targets under libFuzzer, each in a process of its own, and tells how they end."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.fuzz.registry import Target

WORK = Path("build/fuzz")
"""What runs find: a directory of inputs for each target, and ``crashes``."""
INPUT_SECONDS = 25
"""Longest that one input may take."""
MEMORY = 1024
"""Megabytes that a process may take."""
START_SECONDS = 120
"""Longest that a process may take beside fuzzing: for its imports and for the inputs that there are."""
REPORT_SECONDS = 10.0
LAST_LINES = 60
_PULSE = re.compile(r"^#(?P<runs>\d+)\s.* cov: (?P<cover>\d+) .*corp: (?P<corpus>\d+)/\S+ .*exec/s: (?P<speed>\d+)")
_FINAL = re.compile(r"^stat::(?P<name>\w+):\s+(?P<value>\d+)")
_CRASH = re.compile(r"Test unit written to (?P<path>\S+)")


@dataclass(frozen=True, slots=True)
class Result:
    """How the run of a target ended.

    Args:
        name: of the target.
        runs: inputs that were tried.
        speed: inputs a second.
        cover: branches that were reached.
        corpus: inputs that each reach something that the others do not.
        memory: highest resident size in megabytes.
        crash: file of the input that broke an invariant.
        log: the end of what the process said, where it did not end well.
    """

    name: str
    runs: int
    speed: int
    cover: int
    corpus: int
    memory: int
    crash: Path | None
    log: str

    @property
    def failed(self) -> bool:
        """Whether anything is wrong."""
        return bool(self.log)

    def __str__(self) -> str:
        ending = f"CRASH {self.crash}" if self.crash else "FAILED" if self.failed else "ok"
        figures = f"{self.runs:>10} runs {self.speed:>7}/s {self.cover:>6} branches {self.corpus:>5} inputs"
        return f"{self.name:<18} {figures} {self.memory:>5} MB  {ending}"


def run(target: Target, seconds: int, tell: Callable[[str], None]) -> Result:
    """Fuzz one target.

    Args:
        target: which.
        seconds: how long.
        tell: takes a line of progress for people.
    """
    found, crashes = WORK / target.name, WORK / "crashes"
    for directory in (found, crashes):
        directory.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as scratch:
        log = Path(scratch) / "log"
        options = [
            f"-max_total_time={seconds}",
            f"-max_len={target.longest}",
            f"-timeout={INPUT_SECONDS}",
            f"-rss_limit_mb={MEMORY}",
            f"-artifact_prefix={crashes}/{target.name}-",
            "-print_final_stats=1",
        ]
        if target.tokens:
            options.append(f"-dict={_dictionary(target, Path(scratch))}")
        status = _watched([*options, str(found), *_kept(target)], target.name, log, seconds, tell)
        return _result(target.name, status, log.read_text("utf-8", "replace").splitlines())


def minimise(target: Target, directory: Path) -> None:
    """Choose the fewest inputs, of those that are kept and those that runs have found, which reach all that they do.

    Args:
        target: which.
        directory: for the chosen ones; empty.

    Raises:
        subprocess.CalledProcessError: an input breaks an invariant.
    """
    sources = [str(WORK / target.name)] if (WORK / target.name).is_dir() else []
    command = [*_engine(target.name), "-merge=1", f"-max_len={target.longest}", str(directory), *sources]
    subprocess.run([*command, *_kept(target)], check=True, capture_output=True, timeout=600)


def _kept(target: Target) -> list[str]:
    return [str(target.kept[0].parent)] if target.kept else []


def _engine(name: str) -> list[str]:
    return [sys.executable, "-m", "tests.fuzz.engine", name]


def _dictionary(target: Target, directory: Path) -> Path:
    path = directory / "tokens"
    lines = ("".join(f"\\x{byte:02x}" for byte in token) for token in target.tokens)
    path.write_text("".join(f'"{line}"\n' for line in lines), "ascii")
    return path


def _watched(options: list[str], name: str, log: Path, seconds: int, tell: Callable[[str], None]) -> int:
    """Run the process, telling how it goes; one that does not end in time is ended."""
    with log.open("wb") as output:
        process = subprocess.Popen([*_engine(name), *options], stdout=output, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + seconds + START_SECONDS
        try:
            while True:
                try:
                    return process.wait(min(REPORT_SECONDS, max(deadline - time.monotonic(), 0.1)))
                except subprocess.TimeoutExpired:
                    if time.monotonic() >= deadline:
                        return -1
                    _tell_pulse(name, log, tell)
        finally:
            process.kill()
            process.wait()


def _tell_pulse(name: str, log: Path, tell: Callable[[str], None]) -> None:
    pulse = next(_pulses(log.read_text("utf-8", "replace").splitlines()), None)
    if pulse is not None:
        tell(f"  {name}: {pulse['runs']} runs, {pulse['speed']}/s, {pulse['cover']} branches, {pulse['corpus']} inputs")


def _pulses(lines: list[str]) -> Iterator[re.Match[str]]:
    """What libFuzzer said of its progress, the newest first."""
    return filter(None, map(_PULSE.match, reversed(lines)))


def _result(name: str, status: int, lines: list[str]) -> Result:
    final = {match["name"]: int(match["value"]) for match in map(_FINAL.match, lines) if match}
    pulse = next(_pulses(lines), None)
    crash = next(filter(None, map(_CRASH.search, lines)), None)
    end = [line for line in lines if not line.startswith(("#", "0x", "stat::", "Base64"))][-LAST_LINES:]
    return Result(
        name,
        runs=final.get("number_of_executed_units", 0),
        speed=final.get("average_exec_per_sec", 0),
        cover=int(pulse["cover"]) if pulse else 0,
        corpus=int(pulse["corpus"]) if pulse else 0,
        memory=final.get("peak_rss_mb", 0),
        crash=Path(crash["path"]) if crash else None,
        log="" if status == 0 else "\n".join([f"status {status}", *end]),
    )
