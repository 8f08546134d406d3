"""Properties are declared where they are used, and what is given is judged against that."""

from __future__ import annotations

import pytest
from twisted.logger import LogLevel, capturedLogs, formatEvent

from broker.config.kinds import INTEGER, TEXT
from broker.config.options import Registry
from broker.config.properties import Properties
from broker.config.syntax import Setting, parse
from broker.errors import BrokerError, Code


@pytest.fixture
def registry() -> Registry:
    registry = Registry()
    registry.declare("queue/callback/maxEntries", INTEGER, 1000, "How many.")
    registry.declare("session.timeout", INTEGER, 1, "How long.")
    registry.declare_indexed("table", "Some.", "a")
    return registry


def of_file(text: str) -> Properties:
    return Properties(file=parse(text, "b.properties"))


def names(settings: list[Setting]) -> list[str]:
    return [setting.name for setting in settings]


def test_an_option_reads_its_value_or_default(registry: Registry) -> None:
    option = registry.declare("a/b/c", INTEGER, 5, "C.")

    assert option.get(of_file("")) == 5
    assert option.get(of_file("a/c=6")) == 6
    assert option.get(of_file("a/c=6\n/node/broker/topic/Hello/a/b/c=7"), context="topic/Hello") == 7


def test_an_indexed_option_reads_a_table() -> None:
    option = Registry().declare_indexed("passwd", "Secrets.", "joe")

    assert option.get(of_file("passwd[joe]=1\npasswd[jim]=2")) == {"joe": "1", "jim": "2"}


def test_an_option_is_declared_once(registry: Registry) -> None:
    with pytest.raises(ValueError, match=r"session\.timeout is declared twice"):
        registry.declare("session.timeout", TEXT, "", "Again.")
    with pytest.raises(ValueError, match=r"table\[\] is declared twice"):
        registry.declare_indexed("table", "Again.", "a")


def test_all_unusable_values_are_told_at_once(registry: Registry) -> None:
    with pytest.raises(BrokerError) as caught:
        registry.validate(of_file("session.timeout=soon\nqueue/maxEntries=many"))

    assert "queue/maxEntries = 'many'" in caught.value.message
    assert "session.timeout = 'soon'" in caught.value.message


@pytest.mark.parametrize(
    "name",
    [
        "queue/callback/maxEntries",
        "queue/maxEntries",
        "maxEntries",
        "/node/heron/queue/maxEntries",
        "/node/heron/topic/Hello/queue/callback/maxEntries",
        "plugin/socket/port",
        "/node/heron/plugin/socket/port",
        "table[1]",
        "session.timeout",
    ],
)
def test_declared_names_in_all_their_forms_are_known(registry: Registry, name: str) -> None:
    properties = of_file(f"{name}=1")

    assert registry.unknown(properties) == []
    assert registry.without_effect(properties) == []


@pytest.mark.parametrize(
    "name",
    [
        "bootstrapPort",
        "JdbcStorage[postgres]",
        "pingInterval[frodo]",
        "Security.Server.Plugin[htpasswd][1.0]",
        "Security.Server.Plugin.htpasswd.secretfile",
        "useKeyboard",
        "admin.remoteconsole.port",
        "queue/history/defaultPlugin",
        "persistence/topicStore/maxEntries",
        "/node/heron/cluster.loadBalancer.type",
    ],
)
def test_names_of_xmlblaster_that_are_not_used_here_have_a_reason(registry: Registry, name: str) -> None:
    properties = of_file(f"{name}=1")

    assert registry.unknown(properties) == []
    assert [(setting.name, bool(reason)) for setting, reason in registry.without_effect(properties)] == [(name, True)]


@pytest.mark.parametrize(
    "name", ["sesion.timeout", "queue/callback/maxEntrys", "foo/session.timeout", "/node/heron", "table[", "x"]
)
def test_every_other_name_is_unknown(registry: Registry, name: str) -> None:
    properties = Properties([Setting(name, "1", "command line")])

    assert names(registry.unknown(properties)) == [name]


@pytest.mark.parametrize(
    "name",
    [
        "PATH",
        "BROKER_SESSION_TIMEOUT",
        "BROKER_QUEUE_CALLBACK_MAXENTRIES",
        "BROKER_QUEUE_MAXENTRIES",
        "BROKER_MAXENTRIES",
        "BROKER_NODE_HERON_SESSION_TIMEOUT",
        "BROKER_PLUGIN_SOCKET_PORT",
        "BROKER_HOME",
        "BROKER_USER",
        "BROKER_TEST_POSTGRES",
    ],
)
def test_variables_of_the_environment_that_set_something_or_are_for_others_are_known(
    registry: Registry, name: str
) -> None:
    properties = Properties(environment={name: "1"}, file=parse("queue/maxEntries=${home}", "b.properties"))

    assert registry.unknown(properties) == []


@pytest.mark.parametrize(
    "name", ["BROKER_SESION_TIMEOUT", "BROKER_SESSION", "BROKER_NODE_HERON_TIMEOUT", "BROKER_NODE_SESSIONTIMEOUT"]
)
def test_every_other_variable_that_begins_with_broker_is_unknown(registry: Registry, name: str) -> None:
    assert names(registry.unknown(Properties(environment={name: "1"}))) == [name]


def test_a_name_that_a_variable_refers_to_is_not_unknown(registry: Registry) -> None:
    properties = of_file("home=/srv\nsession.timeout=${home}\nport=1")
    properties.expand(Setting("attribute port", "${base}", "plugins.xml:1"), unresolved=[])

    assert registry.unknown(properties) == []
    assert properties.referenced() == {"home", "base"}


def test_unknown_names_of_the_command_line_are_refused_at_once_each_with_the_nearest(registry: Registry) -> None:
    given = [Setting(name, "1", "command line") for name in ("Session.TimeOut", "qwertz", "session.timeout")]

    with pytest.raises(BrokerError) as caught:
        registry.report(Properties(given))

    assert caught.value.message.split("\n") == [
        "command line: there is no property Session.TimeOut; is session.timeout meant?",
        "command line: there is no property qwertz",
    ]


def test_unknown_variables_are_logged_with_the_nearest(registry: Registry) -> None:
    with capturedLogs() as events:
        registry.report(Properties(environment={"BROKER_SESION_TIMEOUT": "1"}))

    assert [formatEvent(event) for event in events] == [
        "environment: unknown property BROKER_SESION_TIMEOUT is ignored; is BROKER_SESSION_TIMEOUT meant?"
    ]


def test_unknown_names_are_logged_once_each_and_unused_ones_in_one_line(registry: Registry) -> None:
    properties = of_file("sesion.timeout=1\nqwertz=2\nuseKeyboard=false\nadmin=true\nsession.timeout=5")

    with capturedLogs() as events:
        registry.report(properties)

    assert [(event["log_level"], formatEvent(event)) for event in events] == [
        (
            LogLevel.warn,
            "b.properties:1: unknown property sesion.timeout is ignored; is session.timeout meant?",
        ),
        (LogLevel.warn, "b.properties:2: unknown property qwertz is ignored"),
        (
            LogLevel.info,
            "properties of xmlBlaster without effect here: "
            "useKeyboard (there is no console; the command line administers a running broker); "
            "admin (administration has its own plugins)",
        ),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "MimePublishPlugin[PublishLenChecker][1.0]=org.xmlBlaster.engine.mime.demo.PublishLenChecker,DEFAULT_MAX_LEN=10",
        "/node/broker/MimePublishPlugin[PublishDelayer][1.0]=org.xmlBlaster.engine.mime.demo.PublishDelayer",
        "MsgDistributorPlugin/defaultPlugin=ConsumableQueue,1.0",
        "DispatchPlugin/defaultPlugin=Priority,1.0",
        "dispatch/callback/DispatchPlugin/defaultPlugin=Priority,1.0",
    ],
)
def test_properties_that_ask_for_plugins_that_are_not_there_are_refused(registry: Registry, text: str) -> None:
    with pytest.raises(BrokerError) as caught:
        registry.validate(of_file(text))

    assert caught.value.code == Code.RESOURCE_CONFIGURATION
    assert caught.value.message.startswith(f"b.properties:1: {text.partition('=')[0]}: there ")


@pytest.mark.parametrize(
    "text",
    [
        "MsgDistributorPlugin/defaultPlugin=undef,1.0",
        "DispatchPlugin/defaultPlugin=undef",
        "DispatchPlugin[Priority][1.0]=org.xmlBlaster.util.dispatch.plugins.prio.PriorizedDispatchPlugin",
        "MsgDistributorPlugin[ConsumableQueue][1.0]=org.xmlBlaster.engine.distributor.plugins.ConsumableQueuePlugin",
        "MimePublishPlugin.maxMimeCacheSize=1000",
    ],
)
def test_properties_that_only_name_plugins_are_not(registry: Registry, text: str) -> None:
    registry.validate(of_file(text))
