"""What a connection manager consists of."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("sqlalchemy", "alembic", "lxml", "lark", "re2", "broker.auth", "broker.core", "broker.native", "broker.store")


def test_a_manager_has_no_store_and_no_core() -> None:
    script = (
        "import sys, broker.cli.main, broker.manager.tap, broker.manager.service, broker.manager.monitoring;"
        f"print(*[name for name in sys.modules if name.startswith({HEAVY!r})])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
