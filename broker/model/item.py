"""Items: messages on a topic with a name of their own, by which they are replaced and retracted (XEP-0060 §7)."""

from __future__ import annotations

from collections.abc import Iterable

from broker.model.property import ClientProperty, find, property_of

RESERVED = "_pubsub."
"""Prefix of the client properties that only the broker itself sets; what a publisher says under it is dropped."""
ITEM = f"{RESERVED}item"
"""Client property: id of the item that a message is."""
PUBLISHER = f"{RESERVED}publisher"
"""Client property: who has published it, as its tongue names accounts."""
RETRACTED = f"{RESERVED}retracted"
"""Client property: id of the item that is gone."""
PURGED = f"{RESERVED}purged"
"""Client property: all items are gone."""


def item_properties(id: str, publisher: str) -> tuple[ClientProperty, ...]:
    """What tells that a message is an item."""
    return (property_of(ITEM, id), property_of(PUBLISHER, publisher))


def without_reserved(properties: tuple[ClientProperty, ...]) -> tuple[ClientProperty, ...]:
    """The properties that a publisher may set; the same object where these are all."""
    allowed = [each for each in properties if not each.name.startswith(RESERVED)]
    return properties if len(allowed) == len(properties) else tuple(allowed)


def text_of(properties: Iterable[ClientProperty], name: str) -> str:
    """The text of a property; empty where it is not there."""
    found = find(properties, name)
    return found.text if found is not None else ""
