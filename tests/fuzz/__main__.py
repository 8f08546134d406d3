"""Fuzzes what reads a peer's bytes; every target has an invariant, and ends with the input that breaks it.

    python -m tests.fuzz --seconds 60
    python -m tests.fuzz --seconds 600 --target stream --target jids
    python -m tests.fuzz --target stream --input build/fuzz/crashes/stream-crash-…

Ends with status 1, and the command to repeat it, where an invariant is broken. What the runs find stays in build/fuzz,
and is where the next ones begin; --keep chooses of it what goes into the repository.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.fuzz import registry, runner

MAX_KEPT = 14
"""Inputs of a target in the repository, beside those that are named."""
MAX_KEPT_BYTES = 16 * 1024
FOUND = "found-"
"""How the names of inputs begin that were chosen; others were named by people and stay."""


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60, help="for each target (60)")
    parser.add_argument("--target", action="append", choices=registry.names(), help="one of all; may be repeated")
    parser.add_argument("--input", type=Path, help="run the target on this file only, without libFuzzer")
    parser.add_argument("--keep", action="store_true", help="choose inputs for the repository instead of fuzzing")
    given = parser.parse_args()
    chosen: list[str] = given.target or registry.names()
    if given.input is not None:
        for name in chosen:
            registry.load(name).run(given.input.read_bytes())
            print(f"{name}: nothing is wrong with {given.input}")
    elif given.keep:
        for name in chosen:
            keep(registry.load(name))
    else:
        sys.exit(fuzz(chosen, given.seconds))


def fuzz(names: list[str], seconds: int) -> int:
    """Fuzz targets one after the other; returns the status."""
    began = time.monotonic()
    results: list[runner.Result] = []
    for name in names:
        result = runner.run(registry.load(name), seconds, lambda line: print(line, flush=True))
        results.append(result)
        if result.failed:
            print(result.log)
        print(result, flush=True)
    failed = [result for result in results if result.failed]
    runs = sum(result.runs for result in results)
    print(f"{len(results)} targets, {runs} runs, {time.monotonic() - began:.0f} s: {len(failed)} failed")
    for result in failed:
        again = f"--input {result.crash}" if result.crash else f"--seconds {seconds}"
        print(f"  to repeat it: {sys.executable} -m tests.fuzz --target {result.name} {again}")
    return 1 if failed else 0


def keep(target: registry.Target) -> None:
    """Replace what was chosen before by the smallest inputs that reach the most."""
    directory = registry.CORPUS / target.name
    directory.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as scratch:
        runner.minimise(target, Path(scratch))
        named = {path.read_bytes() for path in target.kept if not path.name.startswith(FOUND)}
        for path in directory.glob(f"{FOUND}*"):
            path.unlink()
        chosen = _chosen(Path(scratch), named)
        for path in chosen:
            shutil.copy(path, directory / f"{FOUND}{path.name[:12]}")
    print(f"{target.name}: {len(named)} named, {len(chosen)} chosen")


def _chosen(directory: Path, named: set[bytes]) -> list[Path]:
    """Inputs of all sizes, so that short and long ones are there."""
    found = sorted((path for path in directory.iterdir() if path.read_bytes() not in named), key=_size)
    found = [path for path in found if _size(path) <= MAX_KEPT_BYTES]
    step = max(1, -(-len(found) // MAX_KEPT))
    return found[step - 1 :: step]


def _size(path: Path) -> int:
    return path.stat().st_size


if __name__ == "__main__":
    main()
