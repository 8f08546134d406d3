"""Plugin classes are found by name, also those of other packages, and must be plugins."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.errors import BrokerError, Code
from broker.runlevels.loading import load
from tests.runlevels import recording


def made_recording(context: object, plugin_id: str, attributes: dict[str, str]) -> object:
    return recording.Recorded(recording.Journal(), plugin_id, attributes)


class NoPlugin:
    pass


@pytest.mark.parametrize("name", ["tests.runlevels.recording.Recorded", "tests.runlevels.recording:Recorded"])
def test_a_class_is_found_by_its_dotted_name(name: str) -> None:
    assert load(name) is recording.Recorded


def test_a_function_may_make_plugins() -> None:
    assert load(f"{__name__}:made_recording") is made_recording


def test_a_plugin_of_another_package_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "third_party_watch.py").write_text(
        "from zope.interface import implementer\n"
        "from broker.ports import IPlugin\n"
        "@implementer(IPlugin)\n"
        "class Watch:\n"
        "    def __init__(self, context, plugin_id, attributes): pass\n"
        "    async def start(self): pass\n"
        "    async def stop(self): pass\n"
        "    def ports(self): return []\n"
    )
    monkeypatch.syspath_prepend(tmp_path)

    assert load("third_party_watch.Watch").__name__ == "Watch"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("Recorded", "'Recorded' is not package.module.Class"),
        ("", "'' is not package.module.Class"),
        ("a..B", "'a..B' is not package.module.Class"),
        ("a.b/c.D", "'a.b/c.D' is not package.module.Class"),
        ("no_such_package.Class", "class no_such_package.Class cannot be imported: No module named"),
        ("tests.runlevels.recording.Nothing", "module tests.runlevels.recording has no Nothing"),
        (f"{__name__}.pytestmark", "has no pytestmark"),
        (f"{__name__}.__name__", "cannot be called"),
        (f"{__name__}.NoPlugin", "is no plugin: .* Does not declaratively implement the interface"),
    ],
)
def test_what_is_no_plugin_class_is_refused(name: str, reason: str) -> None:
    with pytest.raises(BrokerError, match=reason) as caught:
        load(name)

    assert caught.value.code is Code.RESOURCE_CONFIGURATION_PLUGIN_FAILED


def test_a_module_that_fails_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_plugin.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(BrokerError, match="cannot be imported: division by zero"):
        load("broken_plugin.Plugin")
