"""The document of the API, and whether answers are as it says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from broker.admin.api.openapi import write
from broker.admin.api.operations import Operation
from broker.admin.api.table import described_operations
from broker.admin.listing import BrokenRow
from tests.admin.api.desk import Desk
from tests.admin.api.test_resources import MEMORY, Api

DOCUMENT = Path(__file__).parents[3] / "docs" / "openapi.json"
OPERATIONS = described_operations()
EXAMPLES = {
    "{id}": "1",
    "{subject}": "joe",
    "{name}": "joe",
    "{publicId}": "1",
    "{oid}": "news",
    "{relating}": "callback",
    "{owner}": "joe~1",
}


def with_clients() -> Api:
    api = Api(Desk(settings=MEMORY))
    joe, jack = api.world.client("joe/1", answers=False, persistent=True), api.world.client("jack")
    joe.subscribe("news")
    for _ in range(3):
        jack.publish("news", b"x")
    api.census.start()
    api.world.turn()
    api.census.stop()
    return api


def references(value: Any) -> set[str]:
    found = set()
    if isinstance(value, dict):
        found = {value["$ref"]} if "$ref" in value else set()
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return found.union(*(references(each) for each in parts))


def test_document_is_what_the_table_says() -> None:
    assert DOCUMENT.read_text("utf-8") == write(OPERATIONS), "run: python -m broker.admin.api.table > docs/openapi.json"


def test_every_reference_leads_somewhere() -> None:
    document = json.loads(DOCUMENT.read_text("utf-8"))
    for reference in references(document):
        place = document
        for name in reference.removeprefix("#/").split("/"):
            place = place[name]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)
def test_operation_says_what_it_does(operation: Operation) -> None:
    assert operation.method in ("GET", "POST", "PUT", "PATCH", "DELETE")
    assert operation.summary.endswith(".")
    assert re.fullmatch(r"/health/\w+(/\{name\})?|/metrics(/objects)?|/api/v1/[\w/{}.-]+", operation.path)


SERVED = {operation.id for operation in Api(Desk(settings=MEMORY)).operations} - {"getConnection"}
"""By the operations of that class, which has no connections."""


@pytest.mark.parametrize(
    "operation", [each for each in OPERATIONS if each.id in SERVED], ids=lambda operation: operation.id
)
def test_answer_is_of_the_type_that_is_documented(operation: Operation) -> None:
    api = with_clients()
    path = operation.path.removeprefix("/api/v1/")
    for name, example in EXAMPLES.items():
        path = path.replace(name, example)
    answer = api.ask(path)
    assert answer.status == 200
    if operation.rows is not None:
        for row in answer.json["items"]:
            strict(row, operation.rows)
            assert "error" not in row
    else:
        assert operation.answer is not None
        strict(answer.json, operation.answer)


def strict(value: Any, type: type[msgspec.Struct]) -> None:
    """Check that a value is of a type, and has no field that it does not have."""
    made = msgspec.convert(value, type)
    assert json.loads(msgspec.json.encode(made)) == value


def described(id: str) -> dict[str, Any]:
    """What the document says of an operation."""
    paths = json.loads(DOCUMENT.read_text("utf-8"))["paths"]
    found: dict[str, Any]
    (found,) = [each for path in paths.values() for each in path.values() if each["operationId"] == id]
    return found


def test_who_may_not_be_anybody_has_to_log_in() -> None:
    assert described("getLiveness")["security"] == []
    assert described("getOverview")["security"] == [{"token": []}, {"session": []}]


def test_body_may_be_left_out_where_all_its_members_may() -> None:
    assert not described("blockSubject")["requestBody"]["required"]
    assert described("setRunLevel")["requestBody"]["required"]


def test_answer_that_is_a_stream_is_described_by_its_events() -> None:
    assert list(described("listEvents")["responses"]["200"]["content"]) == ["application/json", "text/event-stream"]
    (stream,) = described("followStream")["responses"]["200"]["content"].values()
    assert set(stream["schema"]["properties"]) == {"id", "event", "data", "retry"}


def test_row_that_cannot_be_told_is_documented_too() -> None:
    schemas = json.loads(DOCUMENT.read_text("utf-8"))["components"]["schemas"]
    assert BrokenRow.__name__ in schemas
