"""Keys and QoS in stored records: as the native protocol writes them."""

from __future__ import annotations

from broker.native.codec.key import read_key, read_query_key, write_key, write_query_key
from broker.native.codec.publish import read_publish_qos, write_publish_qos
from broker.native.codec.query import read_query_qos, write_query_qos


class RecordCodec:
    """The core's :class:`broker.core.codec.Codec`."""

    read_key = staticmethod(read_key)
    write_key = staticmethod(write_key)
    read_publish_qos = staticmethod(read_publish_qos)
    write_publish_qos = staticmethod(write_publish_qos)
    read_query_key = staticmethod(read_query_key)
    write_query_key = staticmethod(write_query_key)
    read_query_qos = staticmethod(read_query_qos)
    write_query_qos = staticmethod(write_query_qos)
