"""Keys, QoS and queries as XML, to and from :mod:`broker.model`."""

from broker.native.codec.connect import read_connect_qos, write_connect_qos
from broker.native.codec.disconnect import read_disconnect_qos, write_disconnect_qos
from broker.native.codec.key import parse_query_url, read_key, read_query_key, write_key, write_query_key
from broker.native.codec.publish import read_publish_qos, write_publish_qos
from broker.native.codec.query import read_query_qos, write_query_qos
from broker.native.codec.status import read_status_qos, write_status_qos
from broker.native.codec.update import (
    UpdateTemplate,
    read_update_qos,
    subscription_element,
    write_get_qos,
    write_update_qos,
)

__all__ = [
    "UpdateTemplate",
    "parse_query_url",
    "read_connect_qos",
    "read_disconnect_qos",
    "read_key",
    "read_publish_qos",
    "read_query_key",
    "read_query_qos",
    "read_status_qos",
    "read_update_qos",
    "subscription_element",
    "write_connect_qos",
    "write_disconnect_qos",
    "write_get_qos",
    "write_key",
    "write_publish_qos",
    "write_query_key",
    "write_query_qos",
    "write_status_qos",
    "write_update_qos",
]
