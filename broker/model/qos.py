"""Quality of service of publishes, queries and their answers (spec xmlblaster §4.3–§4.7)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from broker.model.key import Filter
from broker.model.property import ClientProperty

NORMAL_PRIORITY = 5
MAXIMUM_PRIORITY = 9
PRIORITY_NAMES = {"MIN": 0, "LOW": 3, "NORM": 5, "HIGH": 7, "MAX": 9}
FOREVER = -1

STATE_OK = "OK"
STATE_WARNING = "WARNING"
STATE_ERASED = "ERASED"


class Overflow(StrEnum):
    """What a full queue does with the next entry (spec §10.1)."""

    DEAD_MESSAGE = "deadMessage"
    EXCEPTION = "exception"
    BLOCK = "block"
    DISCARD = "discard"
    DISCARD_OLDEST = "discardOldest"


@dataclass(frozen=True, slots=True)
class QueueQos:
    """Settings of one queue as a peer gave them; ``None`` where it left the choice to the configuration (spec §10.1).

    Args:
        relating: ``callback subject history connection msgUnitStore``.
        max_entries: entries that the queue may hold.
        max_bytes: sum of its entries' sizes in bytes.
        max_entries_cache: of these, how many stay in memory.
        max_bytes_cache: of these, how many bytes stay in memory.
        on_overflow: one of :class:`Overflow`.
        on_failure: only ``deadMessage`` is defined.
    """

    relating: str
    type: str | None = None
    version: str | None = None
    max_entries: int | None = None
    max_bytes: int | None = None
    max_entries_cache: int | None = None
    max_bytes_cache: int | None = None
    on_overflow: Overflow | None = None
    on_failure: str | None = None


@dataclass(frozen=True, slots=True)
class TopicQos:
    """The ``<topic>`` section: configuration of a topic (spec §4.4, §8.2). Times in milliseconds."""

    readonly: bool = False
    destroy_delay: int | None = None
    create_dom_entry: bool = True
    distributor: str | None = None
    history: QueueQos | None = None
    store: QueueQos | None = None


@dataclass(frozen=True, slots=True)
class Destination:
    """A receiver of a point-to-point message (spec §9).

    Args:
        name: any accepted spelling of a session or subject.
        query_type: ``EXACT``; ``XPATH`` is refused when the message is published.
        force_queuing: queue the message for a receiver that is unknown or away.
    """

    name: str
    query_type: str = "EXACT"
    force_queuing: bool = False


@dataclass(frozen=True, slots=True)
class RouteNode:
    """A node that a message has passed."""

    id: str
    stratum: int = 0
    timestamp: int = 0
    dirty_read: bool = False


@dataclass(frozen=True, slots=True)
class PublishQos:
    """How a message is to be delivered (spec §4.4).

    ``sender`` and ``routes`` are set by the broker, which alone says ``ERASED`` as well; the other fields are a
    publisher's.

    Args:
        priority: 0 to 9.
        subscribable: ``False`` hides a point-to-point message from subscribers and ``get``.
        destinations: receivers; any makes the message point-to-point.
        life_time: milliseconds until it expires, ``-1`` never, ``0`` volatile (delivered once, never kept).
        force_destroy: at expiry, also remove it from queues that hold it.
        persistent: it survives a crash.
        force_update: deliver it even if its content equals the newest one of the topic.
        administrative: only configures the topic; nothing is delivered.
        topic: configuration of the topic.
        properties: client properties.
        state: ``OK`` or what an update reports instead (``ERASED`` …).
        info: text of the state.
        sender: absolute session name of the publisher, as the broker set it.
        routes: nodes passed.
    """

    priority: int = NORMAL_PRIORITY
    subscribable: bool = True
    destinations: tuple[Destination, ...] = ()
    life_time: int = FOREVER
    force_destroy: bool = False
    persistent: bool = False
    force_update: bool = True
    administrative: bool = False
    topic: TopicQos | None = None
    properties: tuple[ClientProperty, ...] = ()
    state: str = STATE_OK
    info: str = ""
    sender: str = ""
    routes: tuple[RouteNode, ...] = ()

    def received(self, sender: str, life_time: int, destinations: tuple[Destination, ...]) -> PublishQos:
        """As receivers read it: without the topic's configuration and the nodes passed.

        Args:
            sender: absolute session name of the publisher.
            life_time: milliseconds until it expires, as the broker grants them.
            destinations: as this node names them.
        """
        return PublishQos(  # replace() would take twice the time, and properties may differ with each message
            priority=self.priority,
            subscribable=self.subscribable,
            destinations=destinations,
            life_time=life_time,
            force_destroy=self.force_destroy,
            persistent=self.persistent,
            force_update=self.force_update,
            administrative=self.administrative,
            properties=self.properties,
            state=self.state,
            info=self.info,
            sender=sender,
        )


@dataclass(frozen=True, slots=True)
class UpdateQos:
    """What a receiver reads of an update or of a ``get`` result (spec §4.5).

    Args:
        publish: the message's own QoS.
        subscription_id: ``__subId:…`` of the receiver, ``__subId:PtP`` for point-to-point, empty for ``get``.
        received: timestamp of the message in nanoseconds since 1970 (its id within the node).
        remaining_life: milliseconds left, ``-1`` for ever.
        queue_index: place of the message within the bulk.
        queue_size: entries queued for the receiver, ``0`` where the answer is no update.
        redeliver: failed attempts so far.
    """

    publish: PublishQos
    subscription_id: str = ""
    received: int = 0
    remaining_life: int = FOREVER
    queue_index: int = 0
    queue_size: int = 0
    redeliver: int = 0


@dataclass(frozen=True, slots=True)
class QueryQos:
    """Options of subscribe, unSubscribe, get and erase (spec §4.6).

    Args:
        subscription_id: the id the client wants for its subscription.
        force_destroy: erase: destroy even what queues still hold.
        meta: deliver the key's meta data.
        content: deliver the content.
        multi_subscribe: ``False`` ignores a second identical query.
        local: deliver own publishes.
        initial_update: deliver history entries at once.
        update_oneway: deliver without acknowledgement.
        notify: deliver ERASED events.
        persistent: the subscription survives a crash.
        filters: all must match.
        query_spec: ``(type, text)`` of a ``<querySpec>``.
        history_entries: how many, ``-1`` all. ``None`` where no ``<history>`` was given.
        newest_first: order of history entries.
        properties: client properties.
    """

    subscription_id: str = ""
    force_destroy: bool = False
    meta: bool = True
    content: bool = True
    multi_subscribe: bool = True
    local: bool = True
    initial_update: bool = True
    update_oneway: bool = False
    notify: bool = True
    persistent: bool = False
    filters: tuple[Filter, ...] = ()
    query_spec: tuple[str, str] | None = None
    history_entries: int | None = None
    newest_first: bool = True
    properties: tuple[ClientProperty, ...] = ()


class Method(StrEnum):
    """Methods of the native interface, spelled as in frames (spec §2); also the marker elements ``<isPublish/>``."""

    CONNECT = "connect"
    DISCONNECT = "disconnect"
    PUBLISH = "publish"
    PUBLISH_ONEWAY = "publishOneway"
    SUBSCRIBE = "subscribe"
    UNSUBSCRIBE = "unSubscribe"
    GET = "get"
    ERASE = "erase"
    UPDATE = "update"
    UPDATE_ONEWAY = "updateOneway"
    PING = "ping"


@dataclass(frozen=True, slots=True)
class StatusQos:
    """The answer to publish, subscribe, unSubscribe and erase (spec §4.7)."""

    state: str = STATE_OK
    info: str = ""
    subscription_id: str = ""
    oid: str = ""
    received: int = 0
    method: Method | None = None
    properties: tuple[ClientProperty, ...] = ()


@dataclass(frozen=True, slots=True)
class DisconnectQos:
    """Options of disconnect (spec §4.3)."""

    delete_subject_queue: bool = True
    clear_sessions: bool = False
    properties: tuple[ClientProperty, ...] = ()
