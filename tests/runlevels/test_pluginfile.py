"""The plugin file: what it says, and what is refused with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.errors import BrokerError, Code
from broker.runlevels.pluginfile import MAXIMUM_SIZE, Action, PluginAttribute, PluginConfig, PluginFile, parse, read

ROOT = Path(__file__).parents[2]


def of(body: str) -> PluginFile:
    return parse(f"<xmlBlaster>\n{body}\n</xmlBlaster>".encode(), "p.xml")


def only(body: str) -> PluginConfig:
    (plugin,) = of(body).plugins
    return plugin


def refusal(text: str | bytes) -> str:
    with pytest.raises(BrokerError) as caught:
        parse(text if isinstance(text, bytes) else text.encode(), "p.xml")
    assert caught.value.code is Code.RESOURCE_CONFIGURATION_XML
    return caught.value.message


def attribute(content: str) -> str:
    return only(f"<plugin id='A' className='a.B'><attribute id='x'>{content}</attribute></plugin>").attributes[0].text


def test_a_plugin_with_attributes_and_actions() -> None:
    plugin = only(
        """<plugin id='SOCKET' className='a.Socket' jar='a.jar:b.jar' create='true'>
             <attribute id='port'> 7607 </attribute>
             <attribute id='x' replace='false'>${notReplaced}</attribute>
             <action do='LOAD' onStartupRunlevel='4' sequence='20' onFail='resource.configuration.pluginFailed'/>
             <action do='STOP' onShutdownRunlevel='3' sequence='50'/>
           </plugin>"""
    )

    assert plugin == PluginConfig(
        "SOCKET",
        "a.Socket",
        attributes=(PluginAttribute("port", "7607"), PluginAttribute("x", "${notReplaced}", replace=False)),
        startup=Action(4, 20, "resource.configuration.pluginFailed"),
        shutdown=Action(3, 50),
    )
    assert plugin.where == "p.xml:2"
    assert [attribute.line for attribute in plugin.attributes] == [3, 4]


def test_one_action_may_carry_both_levels() -> None:
    plugin = only(
        "<plugin id='A' className='a.B'>"
        "<action do='LOAD' onStartupRunlevel='4' onShutdownRunlevel='3' sequence='7'/></plugin>"
    )

    assert (plugin.startup, plugin.shutdown) == (Action(4, 7), Action(3, 7))


def test_defaults_of_a_plugin_and_an_action() -> None:
    dynamic = only("<plugin id='A' className='a.B'/>")
    loaded = only("<plugin id='A' className='a.B'><action do='LOAD' onStartupRunlevel='4'/></plugin>")

    assert (dynamic.create, dynamic.startup, dynamic.shutdown) == (True, None, None)
    assert (loaded.startup, loaded.shutdown) == (Action(4, 0, ""), None)


def test_a_plugin_may_be_kept_from_being_made() -> None:
    assert only("<plugin id='A' className='a.B' create='false'/>").create is False


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("a &lt; b &amp;&#10;c", "a < b &\nc"),
        ("<![CDATA[ <any xml/> &amp; ]]>", "<any xml/> &amp;"),
        ("", ""),
        ("<a x='1'><b>t &lt; u</b><c/></a>", '<a x="1"><b>t &lt; u</b><c/></a>'),
        ("<a><![CDATA[<]]></a> tail", "<a>&lt;</a> tail"),
        ("<attribute id='nested'/>", '<attribute id="nested"/>'),
        ("<a x='&quot;&lt;'></a><!-- gone -->", "<a x='\"&lt;'/>"),
    ],
)
def test_attributes_are_text_and_nested_elements_stay_xml(content: str, text: str) -> None:
    assert attribute(content) == text


def test_a_node_replaces_and_adds_plugins() -> None:
    plugins = of(
        """<plugin id='A' className='a.A'/> <plugin id='B' className='a.B'/>
           <node id='heron'> <plugin id='A' className='heron.A'/> <plugin id='C' className='heron.C'/> </node>
           <node id='avalon'> <plugin id='B' className='avalon.B'/> </node>"""
    )

    assert [plugin.class_name for plugin in plugins.for_node("heron")] == ["heron.A", "a.B", "heron.C"]
    assert [plugin.class_name for plugin in plugins.for_node("avalon")] == ["a.A", "avalon.B"]
    assert [plugin.class_name for plugin in plugins.for_node("other")] == ["a.A", "a.B"]


def test_unknown_xml_attributes_are_ignored_with_a_warning() -> None:
    assert of("<plugin id='A' className='a.B' color='red'/>").warnings == ("p.xml:2: color of <plugin> is ignored",)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("<plugin className='a.B'/>", "p.xml:2: <plugin> has no id"),
        ("<plugin id='A' className=' '/>", "p.xml:2: <plugin> has no className"),
        (
            "<plugin id='A' className='a.B' create='perhaps'>\n</plugin>",
            "p.xml:2: create 'perhaps' is neither true nor false",
        ),
        (
            "<plugin id='A' className='a.B'/>\n<plugin id='A' className='a.C'/>",
            "p.xml:3: plugin 'A' is defined already in line 2",
        ),
        ("<plugins/>", "p.xml:2: <plugins> is not expected in <xmlBlaster>"),
        ("<node><plugin id='A' className='a.B'/></node>", "p.xml:2: <node> has no id"),
        ("<node id='x'><node id='y'/></node>", "p.xml:2: <node> is not expected in <node>"),
        ("stray", "p.xml:2: text is not expected in <xmlBlaster>"),
    ],
)
def test_wrong_plugins_are_refused_with_their_line(body: str, message: str) -> None:
    assert refusal(f"<xmlBlaster>\n{body}\n</xmlBlaster>").startswith(message)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("<action do='RUN' onStartupRunlevel='4'/>", "action 'RUN' is neither LOAD nor STOP"),
        ("<action onStartupRunlevel='4'/>", "action '' is neither LOAD nor STOP"),
        ("<action do='LOAD'/>", "action LOAD has no onStartupRunlevel"),
        ("<action do='STOP'/>", "action STOP needs onShutdownRunlevel and no onStartupRunlevel"),
        (
            "<action do='STOP' onStartupRunlevel='4' onShutdownRunlevel='3'/>",
            "action STOP needs onShutdownRunlevel and no onStartupRunlevel",
        ),
        ("<action do='LOAD' onStartupRunlevel='four'/>", "onStartupRunlevel 'four' is not a whole number"),
        ("<action do='LOAD' onStartupRunlevel='4' sequence='1.5'/>", "sequence '1.5' is not a whole number"),
        ("<action do='LOAD' onStartupRunlevel='4' sequence='٣'/>", "sequence '٣' is not a whole number"),
        (
            "<action do='LOAD' onStartupRunlevel='4'/><action do='LOAD' onStartupRunlevel='5'/>",
            "a startup level is given already in line 1",
        ),
        (
            "<action do='STOP' onShutdownRunlevel='4'/><action do='STOP' onShutdownRunlevel='5'/>",
            "a shutdown level is given already in line 1",
        ),
        ("<attribute>1</attribute>", "<attribute> has no id"),
        ("<attribute id='a' replace='x'>1</attribute>", "replace 'x' is neither true nor false"),
        ("<attribute id='a'/><attribute id='a'/>", "attribute 'a' is given already in line 1"),
        ("<attribute id='a'>" + "<x>" * 33, "elements are nested deeper than 32"),
    ],
)
def test_wrong_actions_and_attributes_are_refused(content: str, reason: str) -> None:
    assert (
        refusal(f"<xmlBlaster><plugin id='A' className='a.B'>{content}</plugin></xmlBlaster>") == f"p.xml:1: {reason}"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "p.xml:1: no element found"),
        ("<xmlBlaster>\n<plugin>\n</xmlBlaster>", "p.xml:2: <plugin> has no id"),
        ("<xmlBlaster>\n</xmlblaster>", "p.xml:2: mismatched tag"),
        ("<root/>", "p.xml:1: <root> is not expected as the root"),
        ("<!DOCTYPE xmlBlaster>\n<xmlBlaster/>", "p.xml:1: a document type is not allowed"),
        ("<!DOCTYPE x [<!ENTITY a 'b'>]>\n<xmlBlaster>&a;</xmlBlaster>", "p.xml:1: a document type is not allowed"),
        ("<xmlBlaster>\n<?php x?></xmlBlaster>", "p.xml:2: a processing instruction is not allowed"),
        ("<xmlBlaster>&nbsp;</xmlBlaster>", "p.xml:1: undefined entity"),
        ("<?xml version='1.0' encoding='no-such'?><xmlBlaster/>", "p.xml:1: "),
        ("<?xml version='1.0' encoding='shift_jis'?><xmlBlaster/>", "p.xml:1: "),
        (b"<xmlBlaster>\n\xff</xmlBlaster>", "p.xml:2: not well-formed (invalid token)"),
        (b" " * (MAXIMUM_SIZE + 1), f"p.xml:1: larger than {MAXIMUM_SIZE} bytes"),
    ],
)
def test_what_is_no_plugin_file_is_refused_with_its_line(text: str | bytes, message: str) -> None:
    assert refusal(text).startswith(message)


fragments = st.sampled_from(
    [
        "<xmlBlaster>",
        "</xmlBlaster>",
        "<plugin id='A' className='a.B'>",
        "</plugin>",
        "<attribute id='x'>",
        "</attribute>",
        "<action do='LOAD' onStartupRunlevel='4'/>",
        "<node id='n'>",
        "</node>",
        "<![CDATA[",
        "]]>",
        "<!--",
        "-->",
        "text",
        "\n",
        "&",
        "<",
    ]
)


@given(st.binary() | st.lists(fragments).map(lambda parts: "".join(parts).encode()))
def test_any_bytes_are_read_or_refused_with_a_line(data: bytes) -> None:
    try:
        plugins = parse(data, "p.xml")
    except BrokerError as error:
        assert error.message.startswith("p.xml:")
    else:
        assert all(plugin.id for plugin in plugins.plugins)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BrokerError, match=r"none\.xml: No such file") as caught:
        read(tmp_path / "none.xml")

    assert caught.value.code is Code.RESOURCE_FILE_IO


def test_without_a_file_persistence_and_all_listeners_are_planned() -> None:
    plugins = read(None)

    assert [(plugin.id, plugin.startup and plugin.startup.level) for plugin in plugins.plugins] == [
        ("ADMIN", 1),
        ("subPersistence", 3),
        ("SOCKET", 4),
        ("XMLRPC", 4),
        ("XMPP", 4),
        ("XMPP-MANAGERS", 4),
        ("WEB", 4),
    ]
    assert plugins.warnings == ()


def test_the_example_file_says_the_same_as_the_one_inside_the_package() -> None:
    assert read(ROOT / "etc" / "plugins.xml") == read(None)
