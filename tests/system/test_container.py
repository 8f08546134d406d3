"""The commands of the container's recipe, on a broker that runs without one."""

from __future__ import annotations

import os
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from tests.system.launcher import BrokerProcess, command
from tests.test_containerfile import DATA, healthcheck

pytestmark = pytest.mark.system


def test_the_health_check_succeeds_as_long_as_the_broker_can_be_asked(tmp_path: Path) -> None:
    with closing(BrokerProcess(tmp_path / "data")) as broker:
        broker.add_accounts("joe")

        def check() -> int:
            directory = os.path.relpath(broker.admin_socket.parent)  # the directories of tests have long names
            _, *arguments = (each.replace(DATA, directory) for each in healthcheck())
            return subprocess.run([command("broker"), *arguments], stderr=subprocess.DEVNULL).returncode

        assert check() != 0
        broker.start()
        assert check() == 0
        broker.terminate()
        assert check() != 0
