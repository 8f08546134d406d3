"""Messages for the tests of filters."""

from __future__ import annotations

from dataclasses import dataclass

from broker.model.key import Key
from broker.model.property import ClientProperty, property_of
from broker.model.qos import PublishQos

PropertyValue = str | bytes | bool | int | float


@dataclass(frozen=True, slots=True)
class Message:
    """The least that satisfies ``broker.filters.Candidate``."""

    key: Key
    qos: PublishQos
    content: bytes


def message(content: bytes = b"", mime: str = "text/plain", properties: tuple[ClientProperty, ...] = ()) -> Message:
    return Message(Key("Hello", mime=mime), PublishQos(properties=properties), content)


def with_properties(**values: PropertyValue) -> Message:
    """A message whose client properties declare the types of their values."""
    return message(properties=tuple(property_of(name, value) for name, value in values.items()))
