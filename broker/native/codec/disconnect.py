"""The QoS of disconnect (spec xmlblaster §4.3)."""

from __future__ import annotations

from broker.model.qos import DisconnectQos
from broker.native.codec.property import read_properties, write_properties
from broker.xml.scan import read_root, switch
from broker.xml.write import qos, switch_element


def read_disconnect_qos(data: bytes) -> DisconnectQos:
    """The QoS of a disconnect.

    Args:
        data: UTF-8; less than 11 bytes count as ``<qos/>``.

    Raises:
        BrokerError: ``user.illegalArgument`` for malformed or hostile XML and for values that cannot be read.
    """
    root = read_root(data, "qos")
    return DisconnectQos(
        delete_subject_queue=switch(root, "deletesubjectqueue", True),
        clear_sessions=switch(root, "clearsessions", False),
        properties=read_properties(root),
    )


def write_disconnect_qos(given: DisconnectQos) -> bytes:
    """The QoS as XML; what holds its default is omitted."""
    return qos(
        switch_element("deleteSubjectQueue", given.delete_subject_queue, True),
        switch_element("clearSessions", given.clear_sessions, False),
        write_properties(given.properties),
    )
