"""``python -m broker``: the ``broker`` command."""

import sys

from broker.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
