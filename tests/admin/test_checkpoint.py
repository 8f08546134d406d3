"""Checkpoints in the log."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from twisted.logger import capturedLogs

from broker.errors import BrokerError
from broker.plugins.checkpoint import NAMESPACE, CheckpointPlugin
from broker.runlevels.service import Direction, Listener
from tests.core.world import World

PROPERTY = "<clientProperty name='wfguid'>2343</clientProperty>"


class FakeRunLevels:
    """A broker at a run level."""

    def __init__(self, level: int) -> None:
        self.level = level
        self.listeners: list[Listener] = []

    def add_listener(self, listener: Listener) -> None:
        """Remember it."""
        self.listeners.append(listener)


class Checked:
    """A broker with the plugin, a publisher and a receiver.

    Args:
        attributes: of the plugin.
        level: that the broker is at.
    """

    def __init__(self, attributes: dict[str, str] | None = None, *, level: int = 9) -> None:
        self.world = World()
        self.run_levels = FakeRunLevels(level)
        context = SimpleNamespace(broker=self.world.broker, run_levels=self.run_levels)
        self.plugin = CheckpointPlugin(context, "checkpoint", attributes or {})
        self.world.run(self.plugin.start())
        self.joe = self.world.client("joe/1")
        self.world.client("ann/1").subscribe("Hello")

    def lines(self, properties: str = PROPERTY) -> list[str]:
        """What a publish brings into the log."""
        with capturedLogs() as events:
            self.joe.publish("Hello", b"x", f"<qos>{properties}</qos>")
        return [
            f"{event['log_namespace'].removeprefix(f'{NAMESPACE}.')} {event['line']}"
            for event in events
            if event["log_namespace"].startswith(NAMESPACE)
        ]


def test_message_with_the_property_is_told_at_each_point_of_its_way() -> None:
    common = "<topicId>Hello</topicId> <wfguid>2343</wfguid> <sender>client/joe/1</sender>"
    assert sorted(Checked().lines()) == [
        f"publish.ack <cp>publish.ack</cp> {common}",
        f"publish.enter <cp>publish.enter</cp> {common}",
        f"update.ack <cp>update.ack</cp> {common} <destination>client/ann/1</destination>",
        f"update.queue.add <cp>update.queue.add</cp> {common} <destination>client/ann/1</destination>",
        f"update.send <cp>update.send</cp> {common} <destination>client/ann/1</destination>",
    ]


def test_message_without_it_is_not_told() -> None:
    assert Checked().lines("") == []


def test_all_messages_are_told_where_that_is_asked_for() -> None:
    lines = Checked({"showAllMessages": "true"}).lines("")
    assert "publish.enter <cp>publish.enter</cp> <topicId>Hello</topicId> <sender>client/joe/1</sender>" in lines


def test_message_with_a_property_that_excludes_it_is_not_told() -> None:
    checked = Checked({"excludeIfClientPropertyKey": "quiet, still"})
    assert checked.lines(f"{PROPERTY}<clientProperty name='still'>1</clientProperty>") == []


def test_other_properties_can_be_chosen() -> None:
    lines = Checked({"filterClientPropertyKey": "order,_no name"}).lines(
        "<clientProperty name='order'>7</clientProperty><clientProperty name='no name'>8</clientProperty>"
    )
    assert "<order>7</order>" in lines[0]
    assert "8" not in lines[0]


def test_all_properties_are_told_where_that_is_asked_for() -> None:
    (line, *_) = Checked({"showAllClientProperties": "true"}).lines(
        f"{PROPERTY}<clientProperty name='a b'>1</clientProperty>"
    )
    assert "<clientProperty name='a b'>1</clientProperty>" in line


def test_lines_may_have_brackets_instead_of_tags() -> None:
    lines = Checked({"xmlStyle": "false"}).lines()
    assert "publish.enter [cp=publish.enter] [topicId=Hello] [wfguid=2343] [sender=client/joe/1]" in lines


def test_messages_of_the_broker_itself_are_never_told() -> None:
    checked = Checked({"showAllMessages": "true"})
    with capturedLogs() as events:
        checked.joe.publish("__private", b"x")
    assert not [event for event in events if event["log_namespace"].startswith(NAMESPACE)]


def test_plugin_that_starts_before_the_core_looks_on_when_there_is_one() -> None:
    checked = Checked(level=1)
    assert checked.lines() == []
    (listener,) = checked.run_levels.listeners
    checked.world.run(listener(2, "", Direction.UP))  # type: ignore[arg-type]
    assert checked.lines() != []


def test_nothing_is_looked_at_when_it_has_stopped() -> None:
    checked = Checked()
    checked.world.run(checked.plugin.stop())
    assert (checked.lines(), checked.world.node.trace) == ([], None)


def test_attribute_that_cannot_be_used_ends_the_start() -> None:
    with pytest.raises(BrokerError, match="xmlStyle='maybe': not true or false"):
        Checked({"xmlStyle": "maybe"})
