"""Properties of backups."""

from __future__ import annotations

from datetime import time
from pathlib import Path

import pytest

from broker.config.properties import Properties
from broker.config.sources import from_assignments
from broker.errors import BrokerError
from broker.store.backup_settings import BackupSettings, backup_settings_of


def settings(*assignments: str) -> BackupSettings:
    return backup_settings_of(Properties(command_line=from_assignments(assignments)), Path("/data"))


def test_backups_are_in_the_data_directory_unless_another_is_named() -> None:
    assert settings().directory == Path("/data/backups")
    assert settings("backup.directory=/backup").directory == Path("/backup")


def test_the_broker_makes_none_by_itself_unless_there_is_a_time() -> None:
    assert settings().schedule is None
    assert settings("backup.schedule=03:15").schedule == time(3, 15)


@pytest.mark.parametrize("text", ["3:15", "24:00", "03:60", "03:15:00", "noon"])
def test_what_is_no_time_of_day_is_refused(text: str) -> None:
    with pytest.raises(BrokerError, match=r"not a time of day, such as 03:15"):
        settings(f"backup.schedule={text}")


def test_backups_begin_with_the_name_of_the_node() -> None:
    assert settings("cluster.node.id=heron").node == "heron"
