"""Plugin files: read or refused with a line."""

from __future__ import annotations

from broker.errors import Code
from broker.runlevels.pluginfile import parse
from tests.fuzz.support import require, tried

TOKENS = (
    b"<xmlBlaster>",
    b"</xmlBlaster>",
    b"<plugin id='a' className='b'>",
    b"</plugin>",
    b"<plugin create='false'",
    b"<node id='n'>",
    b"</node>",
    b"<attribute id='c' replace='false'>",
    b"</attribute>",
    b"<action do='LOAD' onStartupRunlevel='3' sequence='5' onFail='resource.configuration.pluginFailed'/>",
    b"<action do='STOP' onShutdownRunlevel='2'/>",
    b"<?xml version='1.0' encoding='UTF-8'?>",
    b"<?xml version='1.0' encoding='utf-7'?>",
    b"encoding='punycode'",
    b"<!DOCTYPE a>",
    b"<!-- -->",
    b"<![CDATA[",
    b"]]>",
)


def target(data: bytes) -> None:
    """The bytes of a file."""
    file = tried(parse, data, "plugins.xml")
    if file is None:
        return
    for plugin in file.for_node("n"):
        require(plugin.id and plugin.class_name, "a plugin without a name")
        require(plugin.where.startswith("plugins.xml:"), Code.RESOURCE_CONFIGURATION_XML)
