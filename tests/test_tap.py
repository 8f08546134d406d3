"""The options of ``twistd broker``."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from twisted.application.service import IServiceMaker
from twisted.internet.selectreactor import SelectReactor
from twisted.plugin import getPlugins
from twisted.python.usage import UsageError

from broker.tap import Options
from broker.timers import keep_steady


def parse(*arguments: str) -> Options:
    options = Options()
    options.parseOptions(list(arguments))
    return options


def test_twistd_finds_the_plugin() -> None:
    makers = {maker.tapname: maker for maker in getPlugins(IServiceMaker)}
    assert makers["broker"].options is Options


def test_timers_do_not_follow_the_wall_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    # given a clock that is set back while something is due
    reactor = SelectReactor()
    keep_steady(reactor)
    called: list[str] = []
    reactor.callLater(0, called.append, "done")
    hour_ago = time.time() - 3600
    monkeypatch.setattr(time, "time", lambda: hour_ago)
    # then it happens all the same
    reactor.runUntilCurrent()
    assert called == ["done"]


def test_no_option_means_data_in_the_working_directory_and_the_packaged_plugins() -> None:
    options = parse()
    assert options.data == Path.cwd() / "data"
    assert options.plugin_file is None
    assert options.properties.given() == ()


def test_set_may_be_repeated() -> None:
    properties = parse("--set", "session.timeout=60000", "--set=history.numEntries=3").properties
    assert properties.text("session.timeout") == "60000"
    assert properties.text("history.numEntries") == "3"


def test_pairs_may_follow_two_dashes() -> None:
    properties = parse("--data=x", "--", "-persistence/session/maxEntries", "200", "-session.timeout", "-1").properties
    assert properties.text("persistence/session/maxEntries") == "200"
    assert properties.text("session.timeout") == "-1"


def test_command_line_beats_the_property_file(tmp_path: Path) -> None:
    config = tmp_path / "broker.properties"
    config.write_text("session.timeout=1\nhistory.numEntries=2\n")
    properties = parse("--config", str(config), "--set", "session.timeout=60000").properties
    assert properties.text("session.timeout") == "60000"
    assert properties.text("history.numEntries") == "2"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--set", "session.timeout"], "'session.timeout' is not KEY=VALUE"),
        (["--", "-session.timeout"], "-session.timeout has no value"),
        (["stray"], "'stray' is not -KEY VALUE"),
        (["--config", "missing.properties"], "missing.properties: No such file"),
        (["--plugins", "missing.xml"], "missing.xml: no such plugin file"),
        (["--unheard-of"], "unheard-of"),
    ],
)
def test_mistake_is_one_of_usage(arguments: list[str], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        parse(*arguments)
