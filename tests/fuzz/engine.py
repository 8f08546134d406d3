"""One target under libFuzzer, in a process of its own; :mod:`tests.fuzz.runner` starts it.

python -m tests.fuzz.engine TARGET [libFuzzer's options and directories]
"""

from __future__ import annotations

import sys

import atheris

from tests.fuzz.registry import load


def main() -> None:
    """Fuzz until libFuzzer's options say that it is enough."""
    name, *arguments = sys.argv[1:]
    with atheris.instrument_imports(include=["broker"]):
        target = load(name)
    # libFuzzer starts itself again by its first argument, where it chooses among inputs.
    again = f"{sys.executable} -m tests.fuzz.engine {name}"
    atheris.Setup([again, *arguments], target.run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
