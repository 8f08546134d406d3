"""Lines of checkpoints, by which messages are followed through logs (spec xmlblaster §16.8)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from broker.core.message import Message
from broker.core.trace import Point
from broker.escape import escaped
from broker.xml.write import escape_attribute

CORRELATION = "wfguid"
"""Property of a message by which programs recognise it on its whole way."""


@dataclass(frozen=True, slots=True)
class CheckpointStyle:
    """How lines are written.

    Args:
        properties: of messages that are told, by their names.
        every: tell all of them.
        xml: as ``<cp>publish.ack</cp> …``, or else as ``[cp=publish.ack] …``.
    """

    properties: Sequence[str] = (CORRELATION,)
    every: bool = False
    xml: bool = True

    def line(self, point: Point, message: Message, sender: str, receiver: str) -> str:
        """One line, as ``<cp>publish.ack</cp> <topicId>Hello</topicId> <wfguid>2343</wfguid> …``.

        Args:
            point: where the message is.
            message: itself.
            sender: ``client/joe/1``.
            receiver: likewise; empty where there is none yet.
        """
        values = (
            ("cp", point.value),
            ("topicId", message.oid),
            *self._told(message),
            ("sender", sender),
            ("destination", receiver),
        )
        return " ".join(self._written(name, value) for name, value in values if value)

    def _told(self, message: Message) -> Iterator[tuple[str, str]]:
        for each in message.qos.properties:
            if self.every or each.name in self.properties:
                yield each.name, each.text

    def _written(self, name: str, value: str) -> str:
        if not self.xml:
            return escaped(f"[{name}={value}]")
        if name.isidentifier():
            return f"<{name}>{escape_attribute(value)}</{name}>"
        return f"<clientProperty name='{escape_attribute(name)}'>{escape_attribute(value)}</clientProperty>"
