"""Properties come from the command line, the environment and a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.config.sources import (
    from_assignments,
    from_file,
    from_pairs,
    in_environment,
    process_environment,
    variable_name,
)
from broker.config.syntax import Setting
from broker.errors import BrokerError, Code


def test_assignments_part_at_the_first_equals() -> None:
    assert from_assignments(["db.url=sqlite:///x?a=b", "empty="]) == [
        Setting("db.url", "sqlite:///x?a=b", "command line"),
        Setting("empty", "", "command line"),
    ]


@pytest.mark.parametrize("assignment", ["runlevel", "=9", " =9", ""])
def test_an_assignment_without_name_or_equals_is_refused(assignment: str) -> None:
    with pytest.raises(BrokerError, match="is not KEY=VALUE"):
        from_assignments([assignment])


def test_pairs_as_xmlblaster_takes_them() -> None:
    assert from_pairs(["-persistence/session/maxEntries", "200", "-session.timeout", "-1"]) == [
        Setting("persistence/session/maxEntries", "200", "command line"),
        Setting("session.timeout", "-1", "command line"),
    ]


@pytest.mark.parametrize("arguments", [["-a"], ["a", "1"], ["-", "1"], ["", "1"], ["-a", "1", "b"]])
def test_pairs_that_are_none_are_refused(arguments: list[str]) -> None:
    with pytest.raises(BrokerError, match="command line: ") as caught:
        from_pairs(arguments)

    assert caught.value.code is Code.RESOURCE_CONFIGURATION


def test_the_environment_gives_a_property_under_its_own_name() -> None:
    assert in_environment({"session.timeout": "5", "BROKER_SESSION_TIMEOUT": "6"}, "session.timeout") == Setting(
        "session.timeout", "5", "environment session.timeout"
    )


def test_the_environment_gives_a_property_under_a_name_that_a_shell_can_set() -> None:
    assert in_environment({"BROKER_SESSION_TIMEOUT": "6"}, "session.timeout") == Setting(
        "session.timeout", "6", "environment BROKER_SESSION_TIMEOUT"
    )


def test_variable_names() -> None:
    assert variable_name("persistence/session/maxEntries") == "BROKER_PERSISTENCE_SESSION_MAXENTRIES"
    assert variable_name("/node/heron/db.url") == "BROKER_NODE_HERON_DB_URL"


def test_java_names_of_directories_are_known_to_the_environment() -> None:
    environment = process_environment()

    assert Path(environment["java.io.tmpdir"]).is_dir()
    assert environment["user.dir"] == str(Path.cwd())


def test_a_file_may_be_in_utf8_or_as_java_wrote_it_in_latin1(tmp_path: Path) -> None:
    for encoding in ("utf-8", "latin-1"):
        path = tmp_path / encoding
        path.write_bytes("name=käse".encode(encoding))

        assert from_file(path) == [Setting("name", "käse", f"{path}:1")]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BrokerError, match=r"none\.properties: No such file") as caught:
        from_file(tmp_path / "none.properties")

    assert caught.value.code is Code.RESOURCE_FILE_IO
