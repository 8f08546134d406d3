"""A plugin of somebody else: the example of ``docs/plugins.md``, as it stands there, in a package of its own."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest

from tests.system.launcher import BrokerProcess, LaunchError

pytestmark = pytest.mark.system

PAGE = Path(__file__).parents[2] / "docs" / "plugins.md"
SETTINGS = {"plugin/socket/port": "0", "plugin/lines/port": "0"}


def example(language: str) -> str:
    """The one block of code of the page that is in this language."""
    (block,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return str(block)


@pytest.fixture
def plugin_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The example's plugin file; its package is where Python finds it."""
    packages = tmp_path / "packages"
    packages.mkdir()
    (packages / "lineport.py").write_text(example("python"), "utf-8")
    monkeypatch.setenv("PYTHONPATH", str(packages))
    plugins = tmp_path / "plugins.xml"
    plugins.write_text(example("xml"), "utf-8")
    return plugins


def send_line(address: tuple[str, int], line: bytes) -> bytes:
    """Send one line, and return the answer."""
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(line + b"\n")
        return connection.makefile("rb").readline()


def broker_with(plugin_file: Path, tmp_path: Path, settings: dict[str, str] = SETTINGS) -> BrokerProcess:
    return BrokerProcess(tmp_path / "data", settings=settings, arguments=["--plugins", str(plugin_file)])


def test_plugin_of_an_installed_package_listens_beside_those_of_the_broker(plugin_file: Path, tmp_path: Path) -> None:
    with broker_with(plugin_file, tmp_path) as broker:
        assert set(broker.ports) == {"SOCKET", "LINES"}


def test_what_a_plugin_answered_survives_a_kill(plugin_file: Path, tmp_path: Path) -> None:
    with broker_with(plugin_file, tmp_path) as broker:
        broker.run_command("user", "add", "joe", "--password-stdin", stdin="open sesame\n")
        assert send_line(broker.address("LINES"), b"21.5") == b"OK\n"

        broker.restart()

        host, port = broker.address()
        server = ["--server", f"socket://{host}:{port}", "--user", "joe", "--password-stdin"]
        got = broker.run_command("get", *server, "--oid", "sensors", stdin="open sesame\n")
        assert "21.5" in got.stdout, got.stderr


def test_plugin_that_lacks_an_attribute_ends_the_start_and_says_which(plugin_file: Path, tmp_path: Path) -> None:
    broker = broker_with(plugin_file, tmp_path, {**SETTINGS, "plugin/lines/topic": ""})
    with pytest.raises(LaunchError, match="plugin LINES needs the attribute topic"):
        broker.start()


def test_plugin_that_is_not_installed_is_named_with_its_line(plugin_file: Path, tmp_path: Path) -> None:
    text = plugin_file.read_text("utf-8").replace("lineport.", "nowhere.")
    plugin_file.write_text(text, "utf-8")
    with pytest.raises(LaunchError, match=r"plugins.xml:\d+: plugin LINES: class nowhere.LinePort cannot be imported"):
        broker_with(plugin_file, tmp_path).start()
