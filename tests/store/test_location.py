"""Where the database is."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.config.properties import Properties
from broker.config.syntax import Setting
from broker.errors import BrokerError, Code
from broker.store.location import database_url


def test_database_is_a_file_in_the_data_directory() -> None:
    assert database_url(Properties(), Path("/var/lib/broker")) == "sqlite:////var/lib/broker/broker.db"


def test_relative_data_directory_is_that_of_the_working_directory() -> None:
    assert database_url(Properties(), Path("data")) == f"sqlite:///{Path.cwd()}/data/broker.db"


def test_property_beats_the_data_directory() -> None:
    properties = Properties(command_line=[Setting("db.url", "postgresql+psycopg://db/broker", "test")])
    assert database_url(properties, Path("data")) == "postgresql+psycopg://db/broker"


def test_directory_that_a_url_cannot_name_is_refused() -> None:
    with pytest.raises(BrokerError, match="must not have a '\\?'") as refused:
        database_url(Properties(), Path("/what?"))
    assert refused.value.code is Code.RESOURCE_CONFIGURATION
