"""Property files: read or refused with a line, and variables are replaced within bounds."""

from __future__ import annotations

from broker.config.legacy import indexed_name, reason_without_effect
from broker.config.properties import MAXIMUM_LENGTH, Properties
from broker.config.syntax import parse
from tests.fuzz.support import require, tried

TOKENS = (
    b"${a}",
    b"a=${b}\n",
    b"b=${a}${a}\n",
    b"$_{a}",
    b"\\u0041",
    b"\\\n",
    b"plugin/socket/port",
    b"/node/heron/",
    b"a[b][c]=d\n",
    b"cluster.node.id=",
    b"property.keepUnresolvedProps=true\n",
    b"#",
    b"\xef\xbb\xbf",
)


def target(data: bytes) -> None:
    """The bytes of a file."""
    settings = tried(parse, data.decode("utf-8", "replace"), "file")
    if settings is None:
        return
    properties = tried(lambda: Properties(file=settings))
    if properties is None:
        return
    for setting in settings[:50]:
        text = tried(properties.text, setting.name)
        require(text is None or len(text) <= MAXIMUM_LENGTH or len(text) <= len(data), "it grew beyond its bound")
        tried(properties.mapping, indexed_name(setting.name) or setting.name)
        reason_without_effect(setting.name)
