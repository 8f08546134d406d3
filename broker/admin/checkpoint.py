"""Lines of checkpoints, by which messages are followed through logs (spec xmlblaster §16.8)."""

from __future__ import annotations

from broker.core.message import Message
from broker.core.trace import Point
from broker.model.property import find
from broker.xml.write import escape_attribute

CORRELATION = "wfguid"
"""Property of a message by which programs recognise it on its whole way."""


def checkpoint_line(point: Point, message: Message, sender: str, receiver: str) -> str:
    """One line, as ``<cp>publish.ack</cp> <topicId>Hello</topicId> <wfguid>2343</wfguid> …``.

    Args:
        point: where the message is.
        message: itself.
        sender: ``client/joe/1``.
        receiver: likewise; empty where there is none yet.
    """
    found = find(message.qos.properties, CORRELATION)
    values = (
        ("cp", point.value),
        ("topicId", message.oid),
        (CORRELATION, "" if found is None else found.text),
        ("sender", sender),
        ("destination", receiver),
    )
    return " ".join(f"<{name}>{escape_attribute(value)}</{name}>" for name, value in values if value)
