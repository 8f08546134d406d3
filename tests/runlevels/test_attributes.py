"""A plugin's attributes: variables replaced, and properties above the plugin file."""

from __future__ import annotations

import pytest

from broker.config.properties import Properties
from broker.config.sources import variable_name
from broker.config.syntax import parse as parse_properties
from broker.errors import BrokerError
from broker.runlevels.attributes import resolve
from broker.runlevels.pluginfile import parse


def resolved(
    attributes: str, file: str = "", environment: dict[str, str] | None = None
) -> tuple[dict[str, str], list[str]]:
    xml = f"<xmlBlaster><plugin id='SOCKET' className='a.B'>\n{attributes}</plugin></xmlBlaster>"
    properties = Properties(file=parse_properties(file, "b.properties"), environment=environment)
    return resolve(parse(xml.encode(), "p.xml").plugins[0], properties)


def test_variables_are_replaced_unless_replace_is_false() -> None:
    texts, warnings = resolved(
        "<attribute id='a'>${x}/1</attribute><attribute id='b' replace='false'>${x}</attribute>", "x=y"
    )

    assert texts == {"a": "y/1", "b": "${x}"}
    assert warnings == []


def test_late_variables_are_left() -> None:
    assert resolved("<attribute id='a'>$_{eventType}</attribute>") == ({"a": "$_{eventType}"}, [])


def test_a_variable_without_a_value_is_left_with_a_warning() -> None:
    texts, warnings = resolved("<attribute id='a'>${x}</attribute>")

    assert texts == {"a": "${x}"}
    assert warnings == ["p.xml:2: attribute a of plugin SOCKET refers to ${x}, which has no value and is left"]


def test_a_variable_that_refers_to_itself_is_refused() -> None:
    with pytest.raises(BrokerError, match=r"b\.properties:1: x is nested deeper"):
        resolved("<attribute id='a'>${x}</attribute>", "x=${x}")


def test_a_property_replaces_and_adds_attributes() -> None:
    texts, _ = resolved(
        "<attribute id='port'>1</attribute><attribute id='b' replace='false'>1</attribute>",
        "plugin/socket/port=${base}2\nbase=7\nplugin/socket/b=${base}\nplugin/socket/new=3\nplugin/other/port=9",
    )

    assert texts == {"port": "72", "b": "7", "new": "3"}


def test_a_property_for_this_node_beats_one_for_all() -> None:
    texts, _ = resolved(
        "<attribute id='port'>1</attribute>",
        "cluster.node.id=heron\nplugin/socket/port=2\n/node/heron/plugin/socket/port=3",
    )

    assert texts == {"port": "3"}


def test_the_environment_of_a_shell_replaces_an_attribute() -> None:
    texts, _ = resolved("<attribute id='port'>1</attribute>", environment={"BROKER_PLUGIN_SOCKET_PORT": "2"})

    assert texts == {"port": "2"}


def test_it_also_adds_an_attribute_that_the_plugin_is_known_to_take() -> None:
    xml = b"<xmlBlaster><plugin id='SOCKET' className='a.B'/></xmlBlaster>"
    properties = Properties(environment={"BROKER_PLUGIN_SOCKET_MAXFRAME": "2", "BROKER_PLUGIN_SOCKET_OTHER": "3"})

    assert resolve(parse(xml, "p.xml").plugins[0], properties, ("maxFrame", "port")) == ({"maxFrame": "2"}, [])


def test_a_more_general_name_does_not() -> None:
    texts, _ = resolved("<attribute id='port'>1</attribute>", "port=2\nplugin/port=3")

    assert texts == {"port": "1"}


COMMAND = "<attribute id='command'>/bin/x ${x}</attribute>"


def file_only(
    attributes: str, file: str, environment: dict[str, str] | None = None
) -> tuple[dict[str, str], list[str]]:
    xml = f"<xmlBlaster><plugin id='EVENTS' className='a.B'>\n{attributes}</plugin></xmlBlaster>"
    properties = Properties(file=parse_properties(file, "b.properties"), environment=environment)
    return resolve(parse(xml.encode(), "p.xml").plugins[0], properties, ("command",), ("command",))


@pytest.mark.parametrize("attributes", [COMMAND, ""])
def test_attribute_that_may_stand_in_the_file_only_is_set_by_no_property(attributes: str) -> None:
    texts, warnings = file_only(attributes, "plugin/events/command=/bin/rm\nx=y")

    assert texts == ({"command": "/bin/x ${x}"} if attributes else {})
    assert [each.partition(": ")[2] for each in warnings] == [
        "plugin/events/command is ignored: it may stand in the plugin file only"
    ]


def test_attribute_that_may_stand_in_the_file_only_is_not_set_by_the_environment() -> None:
    texts, _ = file_only("", "", {variable_name("plugin/events/command"): "/bin/rm"})

    assert texts == {}
