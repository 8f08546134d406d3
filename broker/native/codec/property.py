"""Client properties, and the free attributes of addresses, which are written alike (spec xmlblaster §5)."""

from __future__ import annotations

from collections.abc import Iterable

from broker.model.property import ClientProperty
from broker.xml.parse import Element, refusal
from broker.xml.scan import children
from broker.xml.write import attributes, escape

CLIENT_PROPERTY = "clientProperty"
ADDRESS_ATTRIBUTE = "attribute"


def read_properties(parent: Element, tag: str = CLIENT_PROPERTY) -> tuple[ClientProperty, ...]:
    """The properties of a QoS, in order.

    Raises:
        BrokerError: ``user.illegalArgument`` for a property without the attribute ``name``, which may be empty: the
            publisher of the C library's demos sends such a one with each message.
    """
    return tuple([_read_property(found) for found in children(parent, tag.lower())])


def _read_property(found: Element) -> ClientProperty:
    # Nested XML is the value's literal text (spec xmlblaster §5).
    value = found.markup.decode() if found.children else found.text
    attributes = found.attributes
    encoding = attributes.get("encoding", "")
    name = attributes.get("name")
    if name is None:
        raise refusal(f"<{found.name}> needs the attribute name")
    return ClientProperty(
        name=name,
        value=value,
        type=attributes.get("type", ""),
        encoding="base64" if encoding.lower() == "base64" else encoding,
        charset=attributes.get("charset", ""),
    )


def write_properties(properties: Iterable[ClientProperty], tag: str = CLIENT_PROPERTY) -> str:
    """The properties as elements; their values stay as they came."""
    return "".join([_write_property(given, tag) for given in properties])


def _write_property(given: ClientProperty, tag: str) -> str:
    written = attributes(
        {
            "name": given.name,
            "type": given.type or None,
            "encoding": given.encoding or None,
            "charset": given.charset or None,
        }
    )
    return f"<{tag}{written}>{escape(given.value)}</{tag}>"
