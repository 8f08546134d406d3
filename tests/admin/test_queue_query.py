"""Options of a query for entries (spec xmlblaster §12.4)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.admin.queue_query import MAX_ENTRIES, MAX_WAITING, QueueQuery, parse_queue_query, queue_query_of
from broker.errors import BrokerError, Code
from broker.model.qos import QueryQos


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("", QueueQuery()),
        ("3", QueueQuery(3)),
        ("maxEntries=3&maxSize=-1&consumable=false&waitingDelay=0", QueueQuery(3)),
        ("consumable=true", QueueQuery(1, True)),
        (" maxEntries = 2 & consumable = true ", QueueQuery(2, True)),
        ("waitingDelay=500", QueueQuery(1, False, 500)),
        ("maxEntries=0", QueueQuery(0)),
    ],
)
def test_options(text: str, query: QueueQuery) -> None:
    assert parse_queue_query(text) == query


@pytest.mark.parametrize("text", ["maxEntries=-1", "maxEntries=1000000", "-1"])
def test_entries_are_bounded(text: str) -> None:
    assert parse_queue_query(text).entries == MAX_ENTRIES


@pytest.mark.parametrize("text", ["waitingDelay=-1", "waitingDelay=99999999999"])
def test_wait_is_bounded(text: str) -> None:
    assert parse_queue_query(text).waiting == MAX_WAITING


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("colour=red", Code.USER_ILLEGAL_ARGUMENT),
        ("maxEntries=-2", Code.USER_ILLEGAL_ARGUMENT),
        ("maxEntries=many", Code.USER_ILLEGAL_ARGUMENT),
        ("many", Code.USER_ILLEGAL_ARGUMENT),
        ("consumable=perhaps", Code.USER_ILLEGAL_ARGUMENT),
        ("maxSize=100", Code.INTERNAL_NOT_IMPLEMENTED),
        ("maxBytes=100", Code.INTERNAL_NOT_IMPLEMENTED),
    ],
)
def test_what_cannot_be_served_is_refused(text: str, code: Code) -> None:
    with pytest.raises(BrokerError) as raised:
        parse_queue_query(text)
    assert raised.value.code == code


def test_argument_of_the_command_beats_the_qos() -> None:
    qos = QueryQos(query_spec=("QueueQuery", "maxEntries=5"))
    assert queue_query_of("maxEntries=2", qos).entries == 2
    assert queue_query_of(None, qos).entries == 5
    assert queue_query_of(None, QueryQos()) == QueueQuery()


def test_query_of_another_type_is_refused() -> None:
    with pytest.raises(BrokerError) as raised:
        queue_query_of(None, QueryQos(query_spec=("SqlQuery", "select")))
    assert raised.value.code == Code.USER_QUERY_TYPE_INVALID


@given(st.text(alphabet="maxEntriconsublwtgDly=&-0123456789 ", max_size=60))
def test_any_text_is_a_query_or_refused(text: str) -> None:
    try:
        query = parse_queue_query(text)
    except BrokerError as error:
        assert error.code in (Code.USER_ILLEGAL_ARGUMENT, Code.INTERNAL_NOT_IMPLEMENTED)
    else:
        assert 0 <= query.entries <= MAX_ENTRIES
        assert 0 <= query.waiting <= MAX_WAITING
