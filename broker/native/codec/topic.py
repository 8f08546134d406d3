"""The ``<topic>`` section of a publish QoS (spec xmlblaster §4.4, §8.2)."""

from __future__ import annotations

from broker.model.qos import QueueQos, TopicQos
from broker.native.codec.queue import queue_attributes, read_queue
from broker.xml.parse import Element
from broker.xml.scan import number_attribute, switch, switch_attribute
from broker.xml.write import attribute

HISTORY = "history"
STORE = "msgUnitStore"


def read_topic(found: Element, readonly: bool) -> TopicQos:
    """The configuration of a topic.

    Args:
        found: the ``<topic>`` element.
        readonly: what the deprecated ``<readonly>`` outside of the section says.

    Raises:
        BrokerError: ``user.illegalArgument`` for a value that cannot be read.
    """
    distributor = found.last.get("msgdistributor")
    return TopicQos(
        readonly=readonly or switch_attribute(found, "readonly", switch(found, "readonly", False)),
        destroy_delay=number_attribute(found, "destroyDelay", None),
        create_dom_entry=switch_attribute(found, "createDomEntry", True),
        distributor=(distributor.attributes.get("typeversion") or None) if distributor is not None else None,
        history=_read_queue(found, "queue", HISTORY),
        store=_read_queue(found, "persistence", STORE),
    )


def _read_queue(parent: Element, tag: str, relating: str) -> QueueQos | None:
    found = parent.last.get(tag)
    return read_queue(found, relating) if found is not None else None


def write_topic(topic: TopicQos) -> str:
    """The section as XML; what was left open is omitted."""
    return "".join(
        (
            "<topic",
            attribute("readonly", topic.readonly or None),
            attribute("destroyDelay", topic.destroy_delay),
            attribute("createDomEntry", None if topic.create_dom_entry else False),
            ">",
            f"<msgDistributor{attribute('typeVersion', topic.distributor)}/>" if topic.distributor else "",
            f"<persistence{queue_attributes(topic.store)}/>" if topic.store else "",
            f"<queue{queue_attributes(topic.history)}/>" if topic.history else "",
            "</topic>",
        )
    )
