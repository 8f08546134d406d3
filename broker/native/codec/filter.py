"""Access filters inside query keys and query QoS (spec xmlblaster §12.1)."""

from __future__ import annotations

from collections.abc import Iterable

from broker.model.key import Filter
from broker.xml.parse import Element
from broker.xml.scan import children, required_attribute
from broker.xml.write import attribute, escape

DEFAULT_VERSION = "1.0"


def read_filters(parent: Element) -> tuple[Filter, ...]:
    """The filters of a query, in order.

    Raises:
        BrokerError: ``user.illegalArgument`` for a filter without type.
    """
    return tuple(
        Filter(
            type=required_attribute(found, "type"),
            query=found.text.strip(),
            version=found.attributes.get("version") or DEFAULT_VERSION,
        )
        for found in children(parent, "filter")
    )


def write_filters(filters: Iterable[Filter]) -> str:
    """The filters as elements."""
    return "".join(
        "".join(
            (
                "<filter",
                attribute("type", given.type),
                attribute("version", given.version if given.version != DEFAULT_VERSION else None),
                f">{escape(given.query)}</filter>",
            )
        )
        for given in filters
    )
