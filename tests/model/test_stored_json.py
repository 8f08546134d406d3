from __future__ import annotations

import json

import pytest

from broker.errors import BrokerError, Code
from broker.model.stored_json import Fields, read_object

FIELDS: Fields = {"name": str, "count": int, "on": bool, "list": list, "inner": {"depth": int}}


def test_the_fields_that_are_there_are_read() -> None:
    values = {"name": "joé 💥\n", "count": -(2**63), "on": True, "list": ["a", ""], "inner": {"depth": 2}}
    assert read_object(json.dumps(values).encode(), FIELDS, "it") == values
    assert read_object(b"{}", FIELDS, "it") == {}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b'{"name": "jo',
        b"\xff\xfe",
        b"[]",
        b"7",
        b"null",
        b'"name"',
        b"[" * 99_999,
        b'{"a":' * 99_999,
        b'{"unknown": 1}',
        b'{"name": 1}',
        b'{"name": null}',
        b'{"count": "1"}',
        b'{"count": 1.0}',
        b'{"count": true}',
        b'{"count": NaN}',
        b'{"count": 9223372036854775808}',
        b'{"count": ' + b"9" * 5000 + b"}",
        b'{"on": 1}',
        b'{"list": "abc"}',
        b'{"list": [1]}',
        b'{"list": [["a"]]}',
        b'{"inner": 1}',
        b'{"inner": {"depth": "2"}}',
        b'{"inner": {"unknown": 2}}',
        b'{"name": "\\ud800"}',
        b'{"name": "\\u0000"}',
        b'{"name": "\\u001b"}',
        b'{"name": "\\uffff"}',
        b'{"list": ["\\udfff"]}',
    ],
    ids=lambda data: repr(data[:24]),
)
def test_anything_else_is_an_error_of_the_store(data: bytes) -> None:
    with pytest.raises(BrokerError, match=r"it.* cannot be read") as caught:
        read_object(data, FIELDS, "it")
    assert caught.value.code == Code.RESOURCE_DB_UNKNOWN
