"""Properties and plugin file of ``broker check``."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.cli.check.configuration import check_configuration
from broker.config.properties import Properties
from broker.config.syntax import Setting
from tests.cli.check.subjects import properties_of, told


def test_configuration_of_the_package_is_good() -> None:
    found, plugins = check_configuration(properties_of({}), None)
    assert told(found) == [("ok", "0 properties are set, 7 plugins would be started")]
    assert [plugin.id for plugin in plugins] == [
        "ADMIN",
        "subPersistence",
        "SOCKET",
        "XMLRPC",
        "XMPP",
        "XMPP-MANAGERS",
        "WEB",
    ]


@pytest.mark.parametrize(
    ("settings", "detail"),
    [
        ({"sesion.timeout": "1"}, "is session.timeout meant?"),
        ({"session.timeout": "x"}, "session.timeout"),
        ({"plugin/socket/prt": "1"}, "is plugin/socket/port meant?"),
    ],
)
def test_what_would_end_a_start_is_a_problem(settings: dict[str, str], detail: str) -> None:
    found, _ = check_configuration(properties_of(settings), None)
    assert [each.severity for each in found] == ["problem"]
    assert detail in found[0].detail


def test_what_a_start_would_warn_of_is_a_warning() -> None:
    properties = Properties(file=[Setting("sesion.timeout", "1", "broker.properties:3")])
    found, _ = check_configuration(properties, None)
    assert told(found) == [
        ("warning", "broker.properties:3: unknown property sesion.timeout is ignored; is session.timeout meant?")
    ]


def test_plugin_file_that_cannot_be_read_is_told_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "plugins.xml"
    file.write_text("<xmlBlaster>\n<plugin/></xmlBlaster>")
    found, plugins = check_configuration(properties_of({}), file)
    assert ([each.severity for each in found], plugins) == (["problem"], ())
    assert f"{file}:2" in found[0].detail
