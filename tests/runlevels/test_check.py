"""A plugin file is checked as a whole before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest
from twisted.logger import LogLevel, capturedLogs, formatEvent

from broker.config.properties import Properties
from broker.config.sources import variable_name
from broker.config.syntax import Setting
from broker.config.syntax import parse as parse_properties
from broker.errors import BrokerError, Code
from broker.runlevels.check import check
from broker.runlevels.loading import Factory
from broker.runlevels.plan import Plan
from broker.runlevels.pluginfile import parse, read
from tests.runlevels.recording import Choosy, Port, Recorded, Sessions

FACTORIES: dict[str, Factory] = {
    "a.Plugin": Recorded,
    "a.Sessions": Sessions,
    "a.Port": Port,
    "a.Choosy": Choosy,
    "broker.plugins.persistence.SessionPersistence": Sessions,
    "broker.plugins.events.EventPlugin": Recorded,
    "broker.plugins.socket.SocketPlugin": Port,
    "broker.plugins.xmlrpc.XmlRpcPlugin": Port,
    "broker.plugins.admin.AdminPlugin": Recorded,
    "broker.plugins.xmpp.XmppPlugin": Port,
    "broker.plugins.xmpp_managers.XmppManagersPlugin": Port,
    "broker.plugins.web.WebPlugin": Port,
}
STOCK = Path(__file__).parents[1] / "data" / "xmlBlasterPlugins.xml"


def loader(name: str) -> Factory:
    if name not in FACTORIES:
        raise BrokerError(Code.RESOURCE_CONFIGURATION_PLUGIN_FAILED, f"class {name} cannot be imported")
    return FACTORIES[name]


def checked(body: str, properties: str = "", core: tuple[str, ...] = ()) -> Plan:
    plugins = parse(f"<xmlBlaster>\n{body}\n</xmlBlaster>".encode(), "p.xml")
    return check(plugins, Properties(file=parse_properties(properties, "b")), core, loader)


def refusal(body: str) -> list[str]:
    with pytest.raises(BrokerError) as caught:
        checked(body)
    assert caught.value.code is Code.RESOURCE_CONFIGURATION
    return caught.value.message.split("\n")


def plugin(plugin_id: str, class_name: str, startup: str, shutdown: str = "") -> str:
    level, _, sequence = startup.partition("/")
    text = f"<plugin id='{plugin_id}' className='{class_name}'>"
    text += f"<action do='LOAD' onStartupRunlevel='{level}' sequence='{sequence or 0}'/>"
    if shutdown:
        level, _, sequence = shutdown.partition("/")
        text += f"<action do='STOP' onShutdownRunlevel='{level}' sequence='{sequence or 0}'/>"
    return text + "</plugin>\n"


def test_a_good_file_becomes_a_plan() -> None:
    plan = checked(
        "<plugin id='A' className='a.Plugin'><attribute id='x'>${y}</attribute>"
        "<action do='LOAD' onStartupRunlevel='4' onFail='resource.configuration.pluginFailed'/></plugin>"
        "<plugin id='B' className='not.Made' create='false'><action do='LOAD' onStartupRunlevel='99'/></plugin>"
        "<plugin id='C' className='a.Plugin'/>",
        "y=1",
    )

    assert [planned.id for planned in plan.plugins] == ["A", "C"]
    assert plan.plugins[0].factory is Recorded
    assert plan.plugins[0].attributes == {"x": "1"}
    assert plan.plugins[0].on_fail is Code.RESOURCE_CONFIGURATION_PLUGIN_FAILED
    assert plan.plugins[1].on_fail is None


def test_all_problems_are_told_at_once_with_their_lines() -> None:
    assert refusal(
        plugin("A", "no.Such", "4")
        + plugin("B", "a.Plugin", "11")
        + plugin("C", "a.Plugin", "4/-1", "-2")
        + "<plugin id='D' className='a.Plugin'><action do='STOP' onShutdownRunlevel='3'/></plugin>\n"
        + plugin("E", "a.Port", "5")
    ) == [
        "p.xml:2: plugin A: class no.Such cannot be imported",
        "p.xml:3: plugin B: run level 11 is not one of 0 to 9",
        "p.xml:4: plugin C: sequence -1 is below 0",
        "p.xml:4: plugin C: run level -2 is not one of 0 to 9",
        "p.xml:5: plugin D is stopped and never started",
        "p.xml:6: plugin E requires sessions, which no plugin provides",
    ]


def test_an_unknown_code_on_fail_becomes_resource_configuration_with_a_warning() -> None:
    with capturedLogs() as events:
        plan = checked(
            "<plugin id='A' className='a.Plugin'><action do='LOAD' onStartupRunlevel='4' onFail='oops'/></plugin>"
        )

    assert plan.plugins[0].on_fail is Code.RESOURCE_CONFIGURATION
    assert [(event["log_level"], formatEvent(event)) for event in events] == [
        (LogLevel.warn, "p.xml:2: onFail 'oops' is no error code; resource.configuration is used")
    ]


@pytest.mark.parametrize(
    ("sessions", "port"),
    [(("3/1", "2/6"), ("4/20", "3/50")), (("4/10", "3/60"), ("4/20", "3/50")), (("4", ""), ("4", ""))],
)
def test_what_a_plugin_requires_starts_earlier_and_stops_later(
    sessions: tuple[str, str], port: tuple[str, str]
) -> None:
    plan = checked(plugin("S", "a.Sessions", *sessions) + plugin("P", "a.Port", *port))

    assert [planned.id for planned in plan.plugins] == ["S", "P"]


@pytest.mark.parametrize(("sessions", "port"), [("4/20", "4/10"), ("5", "4")])
def test_a_protocol_before_persistence_is_refused(sessions: str, port: str) -> None:
    assert refusal(plugin("P", "a.Port", port) + plugin("S", "a.Sessions", sessions)) == [
        "p.xml:2: plugin P requires sessions, but plugin S (line 3) provides it and is started later"
    ]


def test_at_the_same_level_and_sequence_the_order_of_the_file_counts() -> None:
    assert refusal(plugin("P", "a.Port", "4/1") + plugin("S", "a.Sessions", "4/1")) == [
        "p.xml:2: plugin P requires sessions, but plugin S (line 3) provides it and is started later"
    ]


@pytest.mark.parametrize(("sessions", "port"), [("3/50", "2/1"), ("3/1", "3/2"), ("3", "3/2")])
def test_persistence_that_stops_before_a_protocol_is_refused(sessions: str, port: str) -> None:
    assert refusal(plugin("S", "a.Sessions", "3", sessions) + plugin("P", "a.Port", "4", port)) == [
        "p.xml:3: plugin P requires sessions, but plugin S (line 2) provides it and is stopped before it"
    ]


def test_the_core_may_provide_what_a_plugin_requires() -> None:
    assert checked(plugin("P", "a.Port", "4"), core=("sessions",)).plugins[0].id == "P"


def test_a_stock_file_of_xmlblaster_loads_and_names_once_what_is_not_served() -> None:
    with capturedLogs() as events:
        plan = check(read(STOCK), Properties(file=parse_properties("stock.port=7607", "b")), (), loader)

    assert [planned.id for planned in plan.plugins] == ["subPersistence", "SOCKET", "loginEvent", "logoutEvent"]
    assert plan.plugins[1].attributes == {"port": "7607", "note": "${notReplaced}", "late": "$_{eventType}"}
    notices = [formatEvent(event).partition(": ")[2] for event in events]
    assert notices == [
        "IOR is not loaded: CORBA is not supported",
        "cluster is not loaded: clusters of xmlBlaster are not supported",
        "JDBC is not loaded: the database service is not supported",
        "DeadMessageDumper is not loaded: dumping dead messages is not supported",
        "startup is not loaded: startup tasks are not supported",
        "dispatchPriority is not loaded: dispatch plugins are not supported",
        "DbWatcher is not loaded: the database watcher is not supported",
    ]


def test_a_node_takes_its_own_section_of_the_stock_file() -> None:
    plan = check(read(STOCK), Properties(file=parse_properties("cluster.node.id=avalon", "b")), (), loader)

    assert plan.plugins[1].attributes == {"port": "7617"}


def test_what_is_ignored_in_the_file_is_logged() -> None:
    with capturedLogs() as events:
        checked("<plugin id='A' className='a.Plugin' x='1'><attribute id='y'>${z}</attribute></plugin>")

    assert [formatEvent(event) for event in events] == [
        "p.xml:2: x of <plugin> is ignored",
        "p.xml:2: attribute y of plugin A refers to ${z}, which has no value and is left",
    ]


class TestUnknownAttributes:
    BODY = (
        "<plugin id='SOCKET' className='a.Choosy'><attribute id='port'>1</attribute></plugin>"
        "<plugin id='ANY' className='a.Plugin'/>"
        "<plugin id='OFF' className='a.Choosy' create='false'/>"
        "<node id='heron'><plugin id='HERON' className='a.Choosy'/></node>"
    )
    WRONG = (
        ("plugin/SOCKET/port", "is plugin/socket/port meant?"),
        ("plugin/socket/maxframe", "is plugin/socket/maxFrame meant?"),
        ("/node/broker/plugin/socket/prt", "is plugin/socket/port meant?"),
        ("plugin/socket/q", "those of plugin socket are port, maxFrame"),
        ("plugin/ANY/thing", "is plugin/any/thing meant?"),
        ("plugin/qwertz/port", "the plugins are any, heron, off, socket"),
        ("plugin/port", "the plugins are any, heron, off, socket"),
    )

    def check(self, properties: Properties) -> list[str]:
        with capturedLogs() as events:
            check(parse(f"<xmlBlaster>{self.BODY}</xmlBlaster>".encode(), "p.xml"), properties, (), loader)
        return [formatEvent(event) for event in events]

    @pytest.mark.parametrize(("name", "hint"), WRONG)
    def test_of_the_command_line_are_refused_with_the_nearest_name(self, name: str, hint: str) -> None:
        with pytest.raises(BrokerError) as caught:
            self.check(Properties([Setting(name, "1", "command line")]))

        assert caught.value.message == f"command line: no plugin has an attribute of the name {name} ({hint})"

    @pytest.mark.parametrize(("name", "hint"), WRONG)
    def test_of_a_file_are_logged_with_the_nearest_name(self, name: str, hint: str) -> None:
        assert self.check(Properties(file=[Setting(name, "1", "b:1")])) == [
            f"b:1: no plugin has an attribute of the name {name} ({hint}), it is ignored"
        ]

    def test_of_the_environment_are_logged_with_the_nearest_name(self) -> None:
        assert self.check(Properties(environment={"BROKER_PLUGIN_SOCKET_PROT": "1"})) == [
            "environment: no plugin has an attribute of the name BROKER_PLUGIN_SOCKET_PROT"
            " (is BROKER_PLUGIN_SOCKET_PORT meant?), it is ignored"
        ]

    @pytest.mark.parametrize(
        "name",
        ["socket/port", "socket/maxFrame", "any/thing/at/all", "off/port", "heron/port"],
        ids=["of the file", "of the class", "of a class that does not tell", "not made", "of another node"],
    )
    def test_others_pass_from_everywhere(self, name: str) -> None:
        full = f"plugin/{name}"
        properties = Properties(
            [Setting(full, "1", "command line")],
            {variable_name(full): "1"},
            [Setting(f"/node/broker/{full}", "1", "b:1")],
        )

        assert self.check(properties) == []

    def test_a_name_passes_that_only_an_overridden_attribute_refers_to(self) -> None:
        properties = Properties(file=parse_properties("plugin/mine=1\nplugin/a/port=2", "b"))
        body = (
            "<xmlBlaster><plugin id='A' className='a.Choosy'><attribute id='port'>${plugin/mine}</attribute></plugin>"
        )

        with capturedLogs() as events:
            check(parse(f"{body}</xmlBlaster>".encode(), "p.xml"), properties, (), loader)

        assert events == []

    def test_a_name_that_a_variable_refers_to_passes(self) -> None:
        body = "plugin/mine=1\nplugin/socket/port=${plugin/mine}"

        assert self.check(Properties(file=parse_properties(body, "b"))) == []

    def test_of_the_plugin_file_are_logged_with_the_nearest_name(self) -> None:
        with capturedLogs() as events:
            checked(
                "<plugin id='A' className='a.Choosy'><attribute id='maxframe'>1</attribute>\n"
                "<attribute id='xyz'>1</attribute></plugin>"
            )

        assert [formatEvent(event) for event in events] == [
            "p.xml:2: plugin A has no attribute maxframe, it is ignored; is maxFrame meant?",
            "p.xml:3: plugin A has no attribute xyz, it is ignored",
        ]


def test_the_file_inside_the_package_is_good() -> None:
    assert [planned.id for planned in check(read(None), Properties(), (), loader).plugins] == [
        "ADMIN",
        "subPersistence",
        "SOCKET",
        "XMLRPC",
        "XMPP",
        "XMPP-MANAGERS",
        "WEB",
    ]
