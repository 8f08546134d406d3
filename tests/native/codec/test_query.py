from __future__ import annotations

from typing import Any

import pytest

from broker.errors import BrokerError
from broker.model.key import Filter
from broker.model.qos import Method, QueryQos
from broker.native.codec import read_query_qos, write_query_qos


def read(body: str) -> QueryQos:
    return read_query_qos(f"<qos>{body}</qos>".encode())


@pytest.mark.parametrize("data", [b"", b"<qos/>", b"<qos><isSubscribe/></qos>"])
def test_nothing_said_is_all_defaults(data: bytes) -> None:
    assert read_query_qos(data) == QueryQos()


@pytest.mark.parametrize(
    ("body", "field", "value"),
    [
        ("<subscribe id='__subId:1'/>", "subscription_id", "__subId:1"),
        ("<id> __subId:1 </id>", "subscription_id", "__subId:1"),
        ("<subscribe/><id>__subId:1</id>", "subscription_id", "__subId:1"),
        ("<erase forceDestroy='true'/>", "force_destroy", True),
        ("<erase/>", "force_destroy", False),
        ("<meta>false</meta>", "meta", False),
        ("<content>false</content>", "content", False),
        ("<multiSubscribe>false</multiSubscribe>", "multi_subscribe", False),
        ("<local>false</local>", "local", False),
        ("<initialUpdate>false</initialUpdate>", "initial_update", False),
        ("<updateOneway/>", "update_oneway", True),
        ("<notify>false</notify>", "notify", False),
        ("<persistent/>", "persistent", True),
        (
            "<filter type='A'>\n <![CDATA[x<y]]>\n </filter><filter type='B' version='2.0'/>",
            "filters",
            (Filter("A", "x<y"), Filter("B", "", "2.0")),
        ),
        (
            "<querySpec type='QueueQuery' version='1.0'><![CDATA[maxEntries=3&maxSize=-1]]></querySpec>",
            "query_spec",
            ("QueueQuery", "maxEntries=3&maxSize=-1"),
        ),
        ("<history numEntries='-1'/>", "history_entries", -1),
        ("<history/>", "history_entries", 1),
        ("<history newestFirst='false'/>", "newest_first", False),
    ],
)
def test_every_element_is_read(body: str, field: str, value: Any) -> None:
    assert getattr(read(body), field) == value


@pytest.mark.parametrize("body", ["<filter>x</filter>", "<querySpec>x</querySpec>", "<history numEntries='all'/>"])
def test_what_cannot_be_read_is_refused(body: str) -> None:
    with pytest.raises(BrokerError):
        read(body)


def test_defaults_are_not_written() -> None:
    assert write_query_qos(QueryQos()) == b"<qos/>"


def test_elements_are_written_in_the_order_of_the_existing_clients() -> None:
    qos = QueryQos("__subId:1", multi_subscribe=False, filters=(Filter("A", "<"),), history_entries=3)
    assert write_query_qos(qos, Method.SUBSCRIBE) == (
        b"<qos><subscribe id='__subId:1'/><multiSubscribe>false</multiSubscribe><filter type='A'>&lt;</filter>"
        b"<history numEntries='3' newestFirst='true'/><isSubscribe/></qos>"
    )
