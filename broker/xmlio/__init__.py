"""Keys, QoS and queries as XML <-> :mod:`broker.model`; the only package that parses XML or imports lxml (design D11).

Readers raise :class:`~broker.errors.BrokerError` and nothing else, whatever they are given.
"""

from broker.xmlio.connect import read_connect_qos, write_connect_qos
from broker.xmlio.disconnect import read_disconnect_qos, write_disconnect_qos
from broker.xmlio.document import Document, TopicDocument, parse_content, topic_document
from broker.xmlio.key import parse_query_url, read_key, read_query_key, write_key, write_query_key
from broker.xmlio.names import NameBudget
from broker.xmlio.publish import read_publish_qos, write_publish_qos
from broker.xmlio.query import read_query_qos, write_query_qos
from broker.xmlio.status import read_status_qos, write_status_qos
from broker.xmlio.update import (
    UpdateTemplate,
    read_update_qos,
    subscription_element,
    write_get_qos,
    write_update_qos,
)
from broker.xmlio.xpath import ContentQuery, TopicQuery, compile_predicate, compile_query

__all__ = [
    "ContentQuery",
    "Document",
    "NameBudget",
    "TopicDocument",
    "TopicQuery",
    "UpdateTemplate",
    "compile_predicate",
    "compile_query",
    "parse_content",
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
    "topic_document",
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
