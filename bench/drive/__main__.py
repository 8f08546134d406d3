"""``python -m bench.drive LOAD JSON``: run one load, and print its figures as one line of JSON."""

from __future__ import annotations

import json
import sys

from bench.drive.loads import LOADS


def main() -> int:
    """Run the load that the arguments name."""
    name, arguments = sys.argv[1:]
    print(json.dumps(LOADS[name](**json.loads(arguments)).run()), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
