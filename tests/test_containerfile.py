"""The recipe of a container, read as a builder does; none is needed here."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from broker.cli.main import parse

TREE = Path(__file__).parents[1]
USER = "10001:10001"
DATA = "/var/lib/broker"
KNOWN = {"FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "VOLUME", "EXPOSE", "STOPSIGNAL", "ENTRYPOINT", "CMD"}
KNOWN |= {"HEALTHCHECK"}


def instructions() -> list[tuple[str, str]]:
    """Each instruction and its arguments, of all stages in order."""
    lines = [line for line in (TREE / "Containerfile").read_text().splitlines() if not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    pairs = [line.strip().split(maxsplit=1) for line in joined.splitlines() if line.strip()]
    return [(name, arguments) for name, arguments in pairs]


def last_stage() -> dict[str, str]:
    """The last instruction of each name in the stage that is run."""
    found = instructions()
    start = max(number for number, (name, _) in enumerate(found) if name == "FROM")
    return dict(found[start:])


def healthcheck() -> list[str]:
    """The command that asks for its health."""
    command: list[str] = json.loads(last_stage()["HEALTHCHECK"].partition("CMD")[2])
    return command


def test_there_are_only_instructions_that_docker_knows() -> None:
    assert {name for name, _ in instructions()} <= KNOWN


def test_the_image_that_is_run_has_no_sources_and_no_compiler() -> None:
    names = [name for name, _ in instructions()]
    assert names.count("FROM") == 2
    assert last_stage()["COPY"] == "--from=build /opt/broker /opt/broker"


def test_base_images_have_a_version() -> None:
    bases = {arguments.split()[0] for name, arguments in instructions() if name == "FROM"}
    assert len(bases) == 1
    assert re.fullmatch(r"python:3\.\d+-slim-\w+", bases.pop())


def test_libraries_are_those_that_the_tests_run_with() -> None:
    installs = [
        step
        for name, arguments in instructions()
        if name == "RUN"
        for step in arguments.split("&&")
        if "pip install" in step
    ]
    assert len(installs) == 1
    assert "-c constraints.txt" in installs[0]


def test_it_runs_as_nobody_special_on_a_volume_of_its_own() -> None:
    found = last_stage()
    assert (found["USER"], found["VOLUME"]) == (USER, DATA)
    assert f"--owner=10001 --group=10001 --mode=0700 {DATA}" in found["RUN"]


def test_what_it_runs_is_a_command_of_the_broker_on_that_volume() -> None:
    found = last_stage()
    assert json.loads(found["ENTRYPOINT"]) == ["broker"]
    assert parse(json.loads(found["CMD"])).data == Path(DATA)


def test_it_ends_by_the_signal_that_ends_a_broker_in_order() -> None:
    assert last_stage()["STOPSIGNAL"] == "SIGTERM"


def test_the_ports_are_those_of_the_plugin_file() -> None:
    plugins = ElementTree.parse(TREE / "etc" / "plugins.xml").getroot()
    text = ElementTree.tostring(plugins, "unicode")
    for port in last_stage()["EXPOSE"].split():
        assert port in text


def test_its_health_is_asked_for_where_the_broker_listens() -> None:
    program, *arguments = healthcheck()
    options = parse(arguments)
    assert (program, options.what, str(options.data)) == ("broker", "live", DATA)


@pytest.mark.parametrize("name", [".git", ".venv*", "data", "dist", "build"])
def test_what_is_not_of_the_tree_does_not_get_into_the_image(name: str) -> None:
    assert name in (TREE / ".dockerignore").read_text().splitlines()
