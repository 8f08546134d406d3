"""``python -m bench.drive LOAD JSON``: run one load, and print its figures as one line of JSON."""

from __future__ import annotations

import json
import sys

from bench.drive.loads import LOADS
from bench.drive.loop import DriveError


def main() -> int:
    """Run the load that the arguments name."""
    name, arguments = sys.argv[1:]
    try:
        figures = LOADS[name](**json.loads(arguments)).run()
    except DriveError as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(figures), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
