"""What is written is read back as the same value, and whatever is read gives a value or a BrokerError."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.errors import BrokerError
from broker.model.connect import ConnectQos
from broker.model.key import Key, QueryKey
from broker.model.qos import DisconnectQos, PublishQos, QueryQos, StatusQos, UpdateQos
from broker.native import codec
from broker.xml.document import parse_content
from tests.native.codec import strategies

READERS: list[Callable[[bytes], Any]] = [
    codec.read_key,
    codec.read_query_key,
    codec.read_publish_qos,
    codec.read_query_qos,
    codec.read_connect_qos,
    codec.read_disconnect_qos,
    codec.read_status_qos,
    codec.read_update_qos,
    parse_content,
]

SNIPPETS = (
    b"<qos>|</qos>|<key |</key>|<topic |<queue relating='|<callback |<securityService>|<![CDATA[|]]>|&amp;|&x;|'|>|/>"
    b"|<!DOCTYPE q [|<?xml version='1.0'?>|<?pi?>|<!--|-->|true|-1|maxEntries='|<clientProperty name='"
    b"|\xff|\0|\xef\xbb\xbf"
).split(b"|")


@given(strategies.keys)
def test_key(key: Key) -> None:
    assert codec.read_key(codec.write_key(key)) == key


@given(strategies.query_keys)
def test_query_key(key: QueryKey) -> None:
    assert codec.read_query_key(codec.write_query_key(key)) == key


@given(strategies.publishes)
def test_publish_qos(qos: PublishQos) -> None:
    assert codec.read_publish_qos(codec.write_publish_qos(qos)) == qos


@given(strategies.updates)
def test_update_qos(qos: UpdateQos) -> None:
    assert codec.read_update_qos(codec.write_update_qos(qos)) == qos


@given(strategies.answers_to_get)
def test_get_qos(qos: UpdateQos) -> None:
    assert codec.read_update_qos(codec.write_get_qos(qos)) == qos


@given(strategies.queries)
def test_query_qos(qos: QueryQos) -> None:
    assert codec.read_query_qos(codec.write_query_qos(qos)) == qos


@given(strategies.statuses)
def test_status_qos(qos: StatusQos) -> None:
    assert codec.read_status_qos(codec.write_status_qos(qos)) == qos


@given(strategies.disconnects)
def test_disconnect_qos(qos: DisconnectQos) -> None:
    assert codec.read_disconnect_qos(codec.write_disconnect_qos(qos)) == qos


@given(strategies.connects)
def test_connect_qos(qos: ConnectQos) -> None:
    assert codec.read_connect_qos(codec.write_connect_qos(qos, redact=False)) == qos


@given(strategies.connects)
def test_redacted_connect_qos_differs_in_the_password_only(qos: ConnectQos) -> None:
    redacted = replace(qos, credentials=replace(qos.credentials, password="")) if qos.credentials else qos
    assert codec.read_connect_qos(codec.write_connect_qos(qos, redact=True)) == redacted


@pytest.mark.parametrize("read", READERS, ids=lambda read: read.__name__)
@given(data=st.binary(max_size=64) | st.lists(st.sampled_from(SNIPPETS), max_size=20).map(b"".join))
def test_any_bytes_give_a_value_or_a_broker_error(read: Callable[[bytes], Any], data: bytes) -> None:
    try:
        read(data)
    except BrokerError as error:
        assert error.message
