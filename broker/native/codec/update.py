"""The QoS of an update and of an answer to ``get`` (spec xmlblaster §4.5)."""

from __future__ import annotations

from dataclasses import replace

from broker.model.qos import FOREVER, PublishQos, UpdateQos
from broker.native.codec.publish import read_message, write_expiration, write_head, write_middle, write_tail
from broker.xml.scan import number, number_attribute, read_root
from broker.xml.write import attribute


def read_update_qos(data: bytes) -> UpdateQos:
    """The QoS of an update or of an answer to ``get``, as a receiver reads it.

    Raises:
        BrokerError: ``user.illegalArgument`` for malformed or hostile XML and for values that cannot be read.
    """
    root = read_root(data, "qos")
    subscribe = root.last.get("subscribe")
    expiration = root.last.get("expiration")
    timestamp = root.last.get("rcvtimestamp")
    queue = root.last.get("queue")
    return UpdateQos(
        publish=read_message(root),
        subscription_id=subscribe.attributes.get("id", "") if subscribe is not None else "",
        received=number_attribute(timestamp, "nanos", 0) if timestamp is not None else 0,
        remaining_life=number_attribute(expiration, "remainingLife", FOREVER) if expiration is not None else FOREVER,
        queue_index=number_attribute(queue, "index", 0) if queue is not None else 0,
        queue_size=number_attribute(queue, "size", 0) if queue is not None else 0,
        redeliver=number(root, "redeliver", 0),
    )


def subscription_element(id: str) -> bytes:
    """The ``<subscribe>`` element that :meth:`UpdateTemplate.render` takes; empty for an empty id."""
    return f"<subscribe{attribute('id', id)}/>".encode() if id else b""


class UpdateTemplate:
    """The update QoS of one message, ready but for what differs between its receivers.

    Args:
        publish: the message's QoS.
        for_get: tell the topic's configuration and the complete route, as an answer to ``get`` does; an update leaves
            out the ``topic`` section and a route of only one node.

    Attributes:
        common: makes, by ``%``, the QoS of a message that is delivered for the first time and does not expire, of the
            subscription's element, the timestamp, the index and the size of :meth:`render`.
    """

    __slots__ = ("_head", "_middle", "_publish", "_tail", "common")

    def __init__(self, publish: PublishQos, *, for_get: bool = False) -> None:
        if not for_get and (publish.topic is not None or len(publish.routes) == 1):
            publish = replace(publish, topic=None, routes=publish.routes if len(publish.routes) > 1 else ())
        self._publish = publish
        self._head = b"<qos>" + write_head(publish).encode()
        self._middle = write_middle(publish).encode()
        self._tail = write_tail(publish).encode() + b"</qos>"
        # One formatting operation is what makes the frequent case cheap: delivered for the first time, not expiring.
        self.common = b"".join(
            (
                self._head.replace(b"%", b"%%"),
                b"%b",
                write_expiration(publish, None).encode(),
                b"<rcvTimestamp nanos='%d'/><queue index='%d' size='%d'/>",
                self._middle.replace(b"%", b"%%"),
                self._tail.replace(b"%", b"%%"),
            )
        )

    def render(
        self, subscription: bytes, received: int, index: int, size: int, redeliver: int, remaining_life: int | None
    ) -> bytes:
        """The QoS for one receiver.

        Args:
            subscription: of :func:`subscription_element`.
            received: timestamp of the message in nanoseconds.
            index: place within the bulk.
            size: entries queued for the receiver; 0 omits the queue, as in an answer to ``get``.
            redeliver: failed attempts so far.
            remaining_life: milliseconds left; None where the message does not expire.
        """
        if remaining_life is None and not redeliver and size and received:
            return self.common % (subscription, received, index, size)
        return b"".join(
            (
                self._head,
                subscription,
                write_expiration(self._publish, remaining_life).encode(),
                b"<rcvTimestamp nanos='%d'/>" % received if received else b"",
                b"<queue index='%d' size='%d'/>" % (index, size) if size else b"",
                self._middle,
                b"<redeliver>%d</redeliver>" % redeliver if redeliver else b"",
                self._tail,
            )
        )


def write_update_qos(update: UpdateQos) -> bytes:
    """The QoS of an update as XML."""
    return _render(UpdateTemplate(update.publish), update)


def write_get_qos(update: UpdateQos) -> bytes:
    """The QoS of an answer to ``get`` as XML: with route and topic, and no queue where its size is 0."""
    return _render(UpdateTemplate(update.publish, for_get=True), update)


def _render(template: UpdateTemplate, update: UpdateQos) -> bytes:
    return template.render(
        subscription_element(update.subscription_id),
        update.received,
        update.queue_index,
        update.queue_size,
        update.redeliver,
        update.remaining_life if update.remaining_life >= 0 else None,
    )
