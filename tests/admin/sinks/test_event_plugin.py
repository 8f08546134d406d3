"""The event plugin: what is chosen goes to its sinks, and holds up nobody."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.logger import LogLevel, capturedLogs, formatEvent, globalLogPublisher
from twisted.python.failure import Failure

from broker.admin.bursts import PER_SECOND
from broker.admin.event_log import EventLog, LoggedEvents
from broker.admin.sinks.command import MAX_RUNNING, MAX_SECONDS
from broker.admin.sinks.outlet import MAX_WAITING
from broker.config.properties import Properties
from broker.core.entries import Entry
from broker.errors import BrokerError
from broker.logs.last import LastLines
from broker.model.property import find, property_of
from broker.plugins.events import EventPlugin
from broker.runlevels.check import check
from broker.runlevels.pluginfile import parse
from tests.admin.office import FakeRunLevels
from tests.core.world import Client, World

CONNECTS = "client/*/session/*/event/connect"
PUBLISH = {"destination.publish": ""}


class Planted:
    """A broker with the plugin, and an administrator who is told of its events.

    Args:
        types: of events.
        attributes: more of the plugin.
    """

    def __init__(self, types: str, attributes: dict[str, str] = PUBLISH) -> None:
        self.world = World()
        self.processes: list[FakeProcess] = []
        self.watcher = self.world.client("watcher/1")
        clock = self.world.clock
        clock.spawnProcess = self._spawn  # type: ignore[attr-defined]
        context = SimpleNamespace(
            broker=self.world.broker, reactor=clock, run_levels=FakeRunLevels(), last_lines=LastLines()
        )
        self.plugin = EventPlugin(context, "events", {"eventTypes": types, **attributes})
        self.world.run(self.plugin.start())

    def _spawn(self, protocol: Any, program: str, arguments: list[str], environment: dict[str, str], path: Any) -> None:
        process = FakeProcess(protocol, arguments, environment, path)
        self.processes.append(process)
        protocol.makeConnection(process)

    def read(self, oid: str = "__sys__Event") -> Client:
        """Have the administrator told of a topic."""
        self.watcher.subscribe(oid)
        return self.watcher

    @property
    def events(self) -> list[str]:
        """Contents of the events that have arrived."""
        return [each.decode() for each in self.watcher.contents]

    def entry(self) -> Entry:
        """The last one."""
        return self.watcher.outbound.entries[-1]

    def text_of(self, name: str) -> str | None:
        """A property of it."""
        found = find(self.entry().message.qos.properties, name)
        return None if found is None else found.text

    @property
    def dropped(self) -> int:
        return self.world.node.events.dropped


@dataclass
class FakeProcess:
    """A command that runs until a test ends it."""

    protocol: Any
    arguments: list[str]
    environment: dict[str, str]
    path: Any
    signals: list[str] = field(default_factory=list)

    def closeStdin(self) -> None: ...

    def signalProcess(self, name: str) -> None:
        self.signals.append(name)

    def end(self, code: int = 0) -> None:
        self.protocol.processEnded(Failure(ProcessTerminated(code) if code else ProcessDone(0)))


def test_event_is_published_with_what_is_known_of_it() -> None:
    planted = Planted(CONNECTS)
    planted.read()
    planted.world.client("joe/1")
    planted.world.turn()
    assert planted.events == ["client/joe/session/1/event/connect"]
    expected = {
        "_eventType": "client/joe/session/1/event/connect",
        "_nodeId": "heron",
        "_subjectId": "joe",
        "_publicSessionId": "1",
        "_absoluteName": "/node/heron/client/joe/1",
        "_summary": "client/joe/session/1 has logged in",
        "_clusterId": "heron",
    }
    assert {name: planted.text_of(name) for name in expected} == expected
    assert not planted.entry().message.envelope.persistent


def test_subscription_is_told_with_its_id_topic_and_query() -> None:
    planted = Planted("topic/news/event/subscribe")
    planted.read()
    id = planted.world.client("joe/1").subscribe("news").id
    planted.world.turn()
    assert planted.text_of("_subscriptionId") == id
    assert (planted.text_of("_topicId"), planted.text_of("_url")) == ("news", "exact:news")


def test_what_is_not_chosen_is_not_published() -> None:
    planted = Planted("client/ann/session/*/event/connect")
    planted.read()
    planted.world.client("joe/1")
    planted.world.turn()
    assert planted.events == []


def test_events_are_for_administrators_only() -> None:
    planted = Planted(CONNECTS)
    with pytest.raises(BrokerError, match="may not subscribe"):
        planted.world.client("joe/1").subscribe("__sys__Event")


def test_last_two_events_are_kept_for_who_comes_later() -> None:
    planted = Planted(CONNECTS)
    for number in range(1, 5):
        planted.world.client(f"joe/{number}")
        planted.world.turn()
    assert len(planted.world.node.topics["__sys__Event"].history) == 2


def test_topic_qos_and_content_are_as_they_are_configured() -> None:
    text = (
        '"publish.key=<key oid=\'alarms\'/>","publish.qos=<qos><priority>9</priority></qos>",'
        '"publish.content=$_{nodeId}, $_{loginName}/$_{pubSessionId}: $_{summary} $_{nothing}"'
    )
    planted = Planted(CONNECTS, {"destination.publish": text})
    planted.read("alarms")
    planted.world.client("joe/1")
    planted.world.turn()
    assert planted.events == ["heron, joe/1: client/joe/session/1 has logged in $_{nothing}"]
    assert planted.entry().message.qos.priority == 9


def test_document_of_the_node_names_clients_topics_and_remote_properties() -> None:
    planted = Planted(CONNECTS, {"destination.publish": '"publish.content=$_{xml}"'})
    planted.read().session.remote_properties["load"] = property_of("load", "7")
    planted.world.client("joe/1")
    planted.world.turn()
    (document,) = planted.events
    for part in ("<node id='heron'>", "<runlevel>9</runlevel>", "<client id='watcher'><session id='1' state='ALIVE'>"):
        assert part in document
    assert "<remoteProperty name='load'>7</remoteProperty>" in document
    assert "<topic id='__sys__Event'/>" in document


def test_properties_of_the_client_are_forwarded_where_they_are_named() -> None:
    planted = Planted(CONNECTS, {"destination.publish": '"publish.addClientProperties=site"'})
    planted.read()
    planted.world.client("joe/1", properties=(property_of("site", "north"), property_of("secret", "x")))
    planted.world.turn()
    assert (planted.text_of("site"), planted.text_of("secret")) == ("north", None)


def test_heartbeats_come_as_often_as_their_type_says() -> None:
    planted = Planted("heartbeat.5000")
    planted.read()
    planted.world.advance(4)
    assert planted.events == []
    for _ in range(2):
        planted.world.advance(5)
    assert planted.events == ["heartbeat.5000"] * 2


def test_queue_that_fills_up_is_published() -> None:
    planted = Planted("client/*/session/*/queue/callback/event/threshold.3")
    planted.read()
    planted.world.client("ann/1", answers=False).subscribe("news")
    joe = planted.world.client("joe/1")
    for _ in range(4):
        joe.publish("news", b"x")
    planted.world.turn()
    assert planted.events == ["client/ann/session/1/queue/callback/event/threshold.3"]
    assert planted.text_of("_summary") == "client/ann/session/1/queue/callback holds 3 of at most 1000 entries"


def test_burst_is_cut_and_its_rest_summed_up() -> None:
    planted = Planted("admin/event/changed,events/event/dropped")
    planted.read()
    for _ in range(PER_SECOND + 7):
        planted.world.node.events.tell("admin/event/changed")
    planted.world.turn(2 * PER_SECOND)
    assert len(planted.events) == PER_SECOND
    assert planted.dropped == 7
    planted.world.advance(1)
    planted.world.turn(10)
    assert planted.events[PER_SECOND:] == ["events/event/dropped"]


def test_warning_that_a_sink_itself_causes_is_not_told() -> None:
    planted = Planted("logging/warning/*", {"destination.log": '"log.level=warn"'})
    observer = LoggedEvents(planted.world.node.events, planted.world.clock, lambda: True)
    globalLogPublisher.addObserver(observer)
    try:
        planted.world.node.events.tell("logging/warning/broker.x", text="first")
        planted.world.turn(50)
        assert planted.dropped == 1
        planted.world.advance(2)
        planted.world.node.events.tell("logging/warning/broker.x", text="later")
        planted.world.turn(50)
        assert planted.dropped == 2
    finally:
        globalLogPublisher.removeObserver(observer)


def test_topic_of_events_does_not_tell_of_itself() -> None:
    planted = Planted("topic/*/event/alive")
    planted.read()
    planted.world.client("joe/1").publish("news", b"x")
    planted.world.turn()
    assert planted.events == ["topic/news/event/alive"]


def test_sink_that_fails_drops_the_event_and_goes_on() -> None:
    planted = Planted(CONNECTS)
    planted.read()
    broker: Any = planted.world.broker
    works, failures = broker.publish_internal, [BrokerError("resource.exhaust", "too many topics")]

    def fail_once(*arguments: Any) -> None:
        if failures:
            raise failures.pop()
        works(*arguments)

    broker.publish_internal = fail_once
    planted.world.client("joe/1")
    planted.world.turn()
    planted.world.client("joe/2")
    planted.world.turn()
    assert planted.events == ["client/joe/session/2/event/connect"]
    assert planted.dropped == 1


COMMAND = {
    "destination.exec": '"exec.command=/bin/tell it","exec.envp=A:1;B:2","exec.waitFor=true"',
    "exec.allowed": "/bin/other, /bin/tell",
}


def test_command_gets_the_event_in_its_environment_and_no_shell() -> None:
    planted = Planted(CONNECTS, COMMAND)
    planted.world.client("joe/1")
    planted.world.turn()
    (process,) = planted.processes
    assert process.arguments == ["/bin/tell", "it"]
    environment = process.environment
    assert (environment["A"], environment["B"]) == ("1", "2")
    assert environment["eventType"] == "client/joe/session/1/event/connect"
    assert environment["sessionName"] == "/node/heron/client/joe/1"


def test_next_command_waits_for_the_one_before_where_that_is_asked_for() -> None:
    planted = Planted(CONNECTS, COMMAND)
    for number in (1, 2):
        planted.world.client(f"joe/{number}")
    planted.world.turn()
    assert len(planted.processes) == 1
    planted.processes[0].end()
    planted.world.turn()
    assert len(planted.processes) == 2


def test_command_that_hangs_is_killed_and_counts_as_dropped() -> None:
    planted = Planted(CONNECTS, COMMAND)
    planted.world.client("joe/1")
    planted.world.turn()
    planted.world.advance(MAX_SECONDS)
    (process,) = planted.processes
    assert process.signals == ["KILL"]
    process.end(9)
    planted.world.turn()
    assert planted.dropped == 1


def test_so_many_commands_run_at_once_and_no_more() -> None:
    planted = Planted(CONNECTS, {**COMMAND, "destination.exec": '"exec.command=/bin/tell"'})
    for number in range(1, MAX_RUNNING + 3):
        planted.world.client(f"joe/{number}")
    planted.world.turn(50)
    assert len(planted.processes) == MAX_RUNNING
    assert planted.dropped == 2


def test_sink_that_does_not_come_to_an_end_costs_no_more_than_its_queue() -> None:
    planted = Planted("admin/event/changed", COMMAND)
    for _ in range(12 + MAX_WAITING // PER_SECOND):
        for _ in range(PER_SECOND):
            planted.world.node.events.tell("admin/event/changed")
        planted.world.clock.advance(1)
    assert len(planted.processes) == 1
    assert planted.dropped > PER_SECOND


def test_nothing_is_run_shortly_after_the_start_where_that_is_asked_for() -> None:
    text = '"exec.command=/bin/tell","exec.activationDelayAfterStartupSec=10"'
    planted = Planted(CONNECTS, {**COMMAND, "destination.exec": text})
    planted.world.client("joe/1")
    planted.world.advance(10)
    assert planted.processes == []
    planted.world.client("joe/2")
    planted.world.turn()
    assert len(planted.processes) == 1


def test_text_of_a_command_goes_to_the_log() -> None:
    text = '"exec.command=/bin/tell","exec.logSevereText=look at $_{loginName}"'
    planted = Planted(CONNECTS, {**COMMAND, "destination.exec": text})
    with capturedLogs() as lines:
        planted.world.client("joe/1")
        planted.world.turn()
    assert [formatEvent(each) for each in lines if each["log_level"] is LogLevel.error] == ["look at joe"]


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"destination.exec": '"exec.command=/bin/rm"', "exec.allowed": "/bin/tell"}, "exec.allowed"),
        ({"destination.exec": '"exec.command=tell"', "exec.allowed": "tell"}, "whole path"),
        ({"destination.exec": '"exec.command=/bin/tell"'}, "exec.allowed"),
        ({"destination.publish": '"publish.kez=x"'}, "sets none of"),
        ({"destination.publish": "\"publish.key=<key oid='__cmd:exit'/>\""}, "oid of a topic"),
        ({"destination.publish": '"publish.key=<key"'}, "destination.publish"),
        ({"destination.log": '"log.level=loud"'}, "none of debug"),
        ({"eventTypes": "nonsense"}, "no events"),
    ],
)
def test_configuration_that_cannot_work_ends_the_start(attributes: dict[str, str], reason: str) -> None:
    with pytest.raises(BrokerError, match=reason):
        Planted(attributes.pop("eventTypes", CONNECTS), attributes)


def test_what_only_the_plugin_wants_is_among_the_last_events_unless_it_says_no() -> None:
    shown, hidden = [Planted("heartbeat.1000", {"destination.sse": each}) for each in ("true", "false")]
    for planted, expected in ((shown, ["heartbeat.1000"]), (hidden, [])):
        log = EventLog(planted.world.node.events)
        log.start()
        planted.world.advance(1)
        assert [each.event.type for each in log.newest()] == expected


def test_example_of_the_document_loads() -> None:
    page = (Path(__file__).parents[3] / "docs" / "operations.md").read_text("utf-8")
    (example,) = re.findall(r"^```xml\n(<plugin id=\"alerts\".*?)^```$", page, re.MULTILINE | re.DOTALL)
    plugins = parse(f"<xmlBlaster>{example}</xmlBlaster>".encode(), "operations.md")
    (planned,) = check(plugins, Properties(), ("topics",)).plugins
    attributes = dict(planned.attributes)
    planted = Planted(attributes.pop("eventTypes"), attributes)
    planted.read()
    planted.world.node.events.tell("store/event/failing", reason="disk full")
    planted.world.turn()
    assert planted.events == ["store/event/failing: reason=disk full"]


def test_nothing_is_left_behind_when_it_stops() -> None:
    planted = Planted(f"{CONNECTS},heartbeat.1000,topic/*/queue/history/event/threshold.1")
    before = planted.world.timers
    planted.world.run(planted.plugin.stop())
    assert planted.world.timers == before - 1
    planted.world.client("joe/1").publish("news", b"x")
    planted.world.turn()
    assert "__sys__Event" not in planted.world.node.topics
