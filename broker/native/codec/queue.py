"""Queue settings: ``<queue>`` of a connect or a topic, ``<persistence>`` of a topic (spec xmlblaster §10.1)."""

from __future__ import annotations

from broker.model.qos import Overflow, QueueQos
from broker.xml.parse import Element, refusal
from broker.xml.scan import number_attribute
from broker.xml.write import attributes

_KINDS = {kind.lower(): kind for kind in ("connection", "subject", "callback", "history", "msgUnitStore")}
_OVERFLOWS = {overflow.value.lower(): overflow for overflow in Overflow}


def read_queue(found: Element, default_relating: str) -> QueueQos:
    """The settings of one queue.

    Args:
        found: the element.
        default_relating: what the queue is for, where the element does not say.

    Raises:
        BrokerError: ``user.illegalArgument`` for an unknown overflow reaction or a broken number.
    """
    attributes = found.attributes
    relating = attributes.get("relating") or default_relating
    return QueueQos(
        relating=_KINDS.get(relating.lower(), relating),
        type=attributes.get("type") or None,
        version=attributes.get("version") or None,
        max_entries=number_attribute(found, "maxEntries", None),
        max_bytes=number_attribute(found, "maxBytes", None),
        max_entries_cache=number_attribute(found, "maxEntriesCache", None),
        max_bytes_cache=number_attribute(found, "maxBytesCache", None),
        on_overflow=_read_overflow(attributes.get("onoverflow", "")),
        on_failure=attributes.get("onfailure") or None,
    )


def _read_overflow(value: str) -> Overflow | None:
    if not value:
        return None
    try:
        return _OVERFLOWS[value.lower()]
    except KeyError:
        raise refusal(f"onOverflow: '{value[:64]}' is none of {', '.join(Overflow)}") from None


def queue_attributes(qos: QueueQos) -> str:
    """The settings as attributes; those left open are omitted."""
    return attributes(
        {
            "relating": qos.relating,
            "type": qos.type,
            "version": qos.version,
            "maxEntries": qos.max_entries,
            "maxEntriesCache": qos.max_entries_cache,
            "maxBytes": qos.max_bytes,
            "maxBytesCache": qos.max_bytes_cache,
            "onOverflow": qos.on_overflow,
            "onFailure": qos.on_failure,
        }
    )
