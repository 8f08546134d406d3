"""The QoS of a published message (spec xmlblaster §4.4)."""

from __future__ import annotations

from broker.model.number import whole_or_none
from broker.model.qos import (
    FOREVER,
    MAXIMUM_PRIORITY,
    NORMAL_PRIORITY,
    PRIORITY_NAMES,
    STATE_OK,
    Destination,
    PublishQos,
    RouteNode,
    TopicQos,
)
from broker.native.codec.cache import cached_by_bytes
from broker.native.codec.property import read_properties, write_properties
from broker.native.codec.topic import read_topic, write_topic
from broker.xml.parse import Element
from broker.xml.scan import (
    children,
    number_attribute,
    read_root,
    required_attribute,
    switch,
    switch_attribute,
    text,
)
from broker.xml.write import attribute, element, escape, qos, switch_element

MARKER = "<isPublish/>"
"""Also in updates and answers to ``get`` (spec xmlblaster §24 fact 8)."""

_NAMES_BY_PRIORITY = {value: name for name, value in PRIORITY_NAMES.items()}


@cached_by_bytes
def read_publish_qos(data: bytes) -> PublishQos:
    """The QoS of a publish.

    What the server sets (state, sender, route) is read too; whether a publisher may say it is for the caller to decide.

    Args:
        data: UTF-8; less than 11 bytes count as ``<qos/>``.

    Raises:
        BrokerError: ``user.illegalArgument`` for malformed or hostile XML and for values that cannot be read.
    """
    return read_message(read_root(data, "qos"))


def read_message(root: Element) -> PublishQos:
    """What a publish and an update have in common, from the ``<qos>`` element."""
    state = read_state(root)
    expiration = root.last.get("expiration")
    life_time = number_attribute(expiration, "lifeTime", FOREVER) if expiration is not None else FOREVER
    if switch(root, "isvolatile", False):
        life_time = 0
    return PublishQos(
        priority=_read_priority(text(root, "priority")),
        subscribable=switch(root, "subscribable", True),
        destinations=tuple([_read_destination(found) for found in children(root, "destination")]),
        life_time=max(life_time, FOREVER),
        force_destroy=switch_attribute(expiration, "forceDestroy", False) if expiration is not None else False,
        persistent=switch(root, "persistent", False),
        force_update=switch(root, "forceupdate", True),
        administrative=switch(root, "administrative", False),
        topic=_read_topic(root),
        properties=read_properties(root),
        state=state[0],
        info=state[1],
        sender=text(root, "sender"),
        routes=tuple([_read_node(found) for route in children(root, "route") for found in children(route, "node")]),
    )


def write_publish_qos(given: PublishQos) -> bytes:
    """The QoS as XML; what holds its default is omitted."""
    return qos(write_head(given), write_expiration(given, None), write_middle(given), write_tail(given))


def read_state(root: Element) -> tuple[str, str]:
    """State and info of any QoS; ``OK`` where it does not say."""
    found = root.last.get("state")
    if found is None:
        return STATE_OK, ""
    return found.attributes.get("id") or STATE_OK, found.attributes.get("info", "")


def write_state(state: str, info: str) -> str:
    """The state as element."""
    return f"<state{attribute('id', state)}{attribute('info', info or None)}/>"


def write_head(given: PublishQos) -> str:
    """State to priority: the elements before the subscription (order of spec xmlblaster §4.5)."""
    return "".join(
        (
            write_state(given.state, given.info) if given.state != STATE_OK or given.info else "",
            switch_element("subscribable", given.subscribable, True),
            "".join([_write_destination(destination) for destination in given.destinations]),
            element("sender", given.sender) if given.sender else "",
            _write_priority(given.priority),
        )
    )


def write_expiration(given: PublishQos, remaining_life: int | None) -> str:
    """When the message expires.

    Args:
        given: of the message.
        remaining_life: milliseconds left, for a receiver; None or negative omits it.
    """
    if remaining_life is not None and remaining_life < 0:
        remaining_life = None
    if given.life_time == FOREVER and not given.force_destroy and remaining_life is None:
        return ""
    return "".join(
        (
            "<expiration",
            attribute("lifeTime", given.life_time),
            attribute("remainingLife", remaining_life),
            attribute("forceDestroy", given.force_destroy),
            "/>",
        )
    )


def write_middle(given: PublishQos) -> str:
    """The switches between queue and redelivery count."""
    return "".join(
        (
            switch_element("administrative", given.administrative, False),
            switch_element("persistent", given.persistent, False),
            switch_element("forceUpdate", given.force_update, True),
        )
    )


def write_tail(given: PublishQos) -> str:
    """Route, marker, topic and client properties."""
    nodes = "".join([_write_node(node) for node in given.routes])
    return "".join(
        (
            f"<route>{nodes}</route>" if nodes else "",
            MARKER,
            write_topic(given.topic) if given.topic is not None else "",
            write_properties(given.properties),
        )
    )


def _read_priority(value: str) -> int:
    # Unreadable priorities count as NORM (spec xmlblaster §4.4).
    if not value:
        return NORMAL_PRIORITY
    number = whole_or_none(value, 0, MAXIMUM_PRIORITY)
    return PRIORITY_NAMES.get(value.upper(), NORMAL_PRIORITY) if number is None else number


def _write_priority(priority: int) -> str:
    if priority == NORMAL_PRIORITY:
        return ""
    return element("priority", _NAMES_BY_PRIORITY.get(priority, priority))


def _read_destination(found: Element) -> Destination:
    return Destination(
        name=found.text.strip(),
        query_type=(found.attributes.get("querytype") or "EXACT").upper(),
        force_queuing=switch_attribute(found, "forceQueuing", False),
    )


def _write_destination(destination: Destination) -> str:
    return "".join(
        (
            "<destination",
            attribute("queryType", destination.query_type if destination.query_type != "EXACT" else None),
            attribute("forceQueuing", destination.force_queuing or None),
            f">{escape(destination.name)}</destination>",
        )
    )


def _read_topic(root: Element) -> TopicQos | None:
    readonly = switch(root, "readonly", False)
    found = root.last.get("topic")
    if found is not None:
        return read_topic(found, readonly)
    return TopicQos(readonly=True) if readonly else None


def _read_node(found: Element) -> RouteNode:
    return RouteNode(
        id=required_attribute(found, "id"),
        stratum=number_attribute(found, "stratum", 0),
        timestamp=number_attribute(found, "timestamp", 0),
        dirty_read=switch_attribute(found, "dirtyRead", False),
    )


def _write_node(node: RouteNode) -> str:
    return "".join(
        (
            "<node",
            attribute("id", node.id),
            attribute("stratum", node.stratum),
            attribute("timestamp", node.timestamp),
            attribute("dirtyRead", node.dirty_read),
            "/>",
        )
    )
