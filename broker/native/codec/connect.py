"""The QoS of connect and its answer (spec xmlblaster §4.1, §4.2)."""

from __future__ import annotations

from dataclasses import dataclass, field

from broker.model.connect import AddressQos, ConnectQos, SessionQos
from broker.model.qos import QueueQos
from broker.native.codec.address import read_address, write_address
from broker.native.codec.credentials import read_credentials, write_credentials
from broker.native.codec.property import read_properties, write_properties
from broker.native.codec.queue import queue_attributes, read_queue
from broker.xml.parse import Element
from broker.xml.scan import children, number_attribute, read_root, switch, switch_attribute, text
from broker.xml.write import attribute, attributes, element, escape, qos, switch_element

CALLBACK = "callback"
CONNECTION = "connection"

_RELATING_BY_TAG = {"address": CONNECTION, "callback": CALLBACK}


def read_connect_qos(data: bytes) -> ConnectQos:
    """The QoS of a connect, or of the answer to one.

    Args:
        data: UTF-8; less than 11 bytes count as ``<qos/>``.

    Raises:
        BrokerError: ``user.illegalArgument`` for malformed or hostile XML and for values that cannot be read,
            ``user.security.authentication.illegalArgument`` for a broken ``<securityService>``.
    """
    root = read_root(data, "qos")
    security = root.last.get("securityservice")
    session = root.last.get("session")
    return ConnectQos(
        credentials=read_credentials(security) if security is not None else None,
        session=_read_session(session) if session is not None else SessionQos(),
        ptp=switch(root, "ptp", True),
        cluster_node=switch(root, "clusternode", False),
        refresh_session=switch(root, "refreshsession", False),
        duplicate_updates=switch(root, "duplicateupdates", True),
        instance_id=text(root, "instanceid"),
        persistent=switch(root, "persistent", False),
        reconnected=switch(root, "reconnected", False),
        queues=_read_queues(root),
        server_refs=tuple(
            (found.attributes.get("type", ""), found.text.strip()) for found in children(root, "serverref")
        ),
        properties=read_properties(root),
    )


def _read_session(found: Element) -> SessionQos:
    return SessionQos(
        name=found.attributes.get("name", "").strip(),
        timeout=number_attribute(found, "timeout", None),
        max_sessions=number_attribute(found, "maxSessions", None),
        clear_sessions=switch_attribute(found, "clearSessions", None),
        reconnect_same_client_only=switch_attribute(found, "reconnectSameClientOnly", None),
        secret_id=found.attributes.get("sessionid", ""),
    )


@dataclass(slots=True)
class _Queue:
    qos: QueueQos
    addresses: list[AddressQos] = field(default_factory=list)


def _read_queues(root: Element) -> tuple[tuple[QueueQos, tuple[AddressQos, ...]], ...]:
    queues = [
        _Queue(
            read_queue(found, CALLBACK),
            [read_address(inner) for inner in found.children if inner.name in _RELATING_BY_TAG],
        )
        for found in children(root, "queue")
    ]
    # An address outside of a queue belongs to the queue that would have held it.
    for found in root.children:
        relating = _RELATING_BY_TAG.get(found.name)
        if relating is None:
            continue
        owner = next((queue for queue in queues if queue.qos.relating == relating), None)
        if owner is None:
            owner = _Queue(QueueQos(relating))
            queues.append(owner)
        owner.addresses.append(read_address(found))
    return tuple((queue.qos, tuple(queue.addresses)) for queue in queues)


def write_connect_qos(given: ConnectQos, *, redact: bool) -> bytes:
    """The QoS as XML. The secret session id stands before any callback's (spec xmlblaster §24 fact 2).

    Args:
        given: the request or the answer.
        redact: leave the password empty, as any answer or record must (design D13).
    """
    return qos(
        write_credentials(given.credentials, redact=redact) if given.credentials is not None else "",
        switch_element("ptp", given.ptp, True),
        switch_element("clusterNode", given.cluster_node, False),
        switch_element("refreshSession", given.refresh_session, False),
        switch_element("duplicateUpdates", given.duplicate_updates, True),
        switch_element("reconnected", given.reconnected, False),
        element("instanceId", given.instance_id) if given.instance_id else "",
        switch_element("persistent", given.persistent, False),
        _write_session(given.session),
        "".join(_write_queue(queue, addresses) for queue, addresses in given.queues),
        "".join(f"<serverRef{attribute('type', type)}>{escape(raw)}</serverRef>" for type, raw in given.server_refs),
        write_properties(given.properties),
    )


def _write_session(session: SessionQos) -> str:
    written = attributes(
        {
            "name": session.name or None,
            "timeout": session.timeout,
            "maxSessions": session.max_sessions,
            "clearSessions": session.clear_sessions,
            "reconnectSameClientOnly": session.reconnect_same_client_only,
            "sessionId": session.secret_id or None,
        }
    )
    return f"<session{written}/>" if written else ""


def _write_queue(queue: QueueQos, addresses: tuple[AddressQos, ...]) -> str:
    tag = "address" if queue.relating == CONNECTION else "callback"
    body = "".join(write_address(address, tag) for address in addresses)
    settings = queue_attributes(queue)
    return f"<queue{settings}>{body}</queue>" if body else f"<queue{settings}/>"
