"""The QoS of answers (spec xmlblaster §4.7)."""

from __future__ import annotations

from broker.model.qos import STATE_OK, Method, StatusQos
from broker.native.codec.property import read_properties, write_properties
from broker.native.codec.publish import read_state, write_state
from broker.xml.parse import Element
from broker.xml.scan import number_attribute, read_root
from broker.xml.write import attribute, qos


def _marker_name(method: Method) -> str:
    return f"is{method[0].upper()}{method[1:]}"


_METHODS_BY_MARKER = {_marker_name(method).lower(): method for method in Method}


def marker(method: Method | None) -> str:
    """The element that names a method, e.g. ``<isPublish/>``; empty for None."""
    return f"<{_marker_name(method)}/>" if method is not None else ""


def read_status_qos(data: bytes) -> StatusQos:
    """The answer to a publish, subscribe, unSubscribe, erase, ping, disconnect or update.

    Args:
        data: UTF-8; less than 11 bytes count as ``<qos/>``, which is OK.

    Raises:
        BrokerError: ``user.illegalArgument`` for malformed or hostile XML and for values that cannot be read.
    """
    root = read_root(data, "qos")
    state, info = read_state(root)
    timestamp = root.last.get("rcvtimestamp")
    return StatusQos(
        state=state,
        info=info,
        subscription_id=_attribute_of(root, "subscribe", "id"),
        oid=_attribute_of(root, "key", "oid"),
        received=number_attribute(timestamp, "nanos", 0) if timestamp is not None else 0,
        method=next(
            (_METHODS_BY_MARKER[found.name] for found in root.children if found.name in _METHODS_BY_MARKER), None
        ),
        properties=read_properties(root),
    )


def write_status_qos(given: StatusQos) -> bytes:
    """The answer as XML. A bare OK is spelled out, since clients look for it."""
    parts = (
        f"<subscribe{attribute('id', given.subscription_id)}/>" if given.subscription_id else "",
        f"<key{attribute('oid', given.oid)}/>" if given.oid else "",
        f"<rcvTimestamp{attribute('nanos', given.received)}/>" if given.received else "",
        marker(given.method),
        write_properties(given.properties),
    )
    if given.state != STATE_OK or given.info or not any(parts):
        return qos(write_state(given.state, given.info), *parts)
    return qos(*parts)


def _attribute_of(root: Element, tag: str, name: str) -> str:
    found = root.last.get(tag)
    return found.attributes.get(name, "") if found is not None else ""
