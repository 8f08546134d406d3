"""The document of the API (OpenAPI 3.1), made of the table of operations and the types of their answers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from broker import __version__
from broker.admin.api.gate import PLAIN_COOKIE, SECURE_COOKIE
from broker.admin.api.operations import API, Operation
from broker.admin.listing import BrokenRow
from broker.admin.roles import Right
from broker.net.http.events import EVENT_TYPE
from broker.net.http.exchange import JSON_TYPE, Answer, Call
from broker.net.http.problem import PROBLEM_TYPE, Problem

REFERENCE = "#/components/schemas/{name}"
_PARAMETER = re.compile(r"\{(\w+)\}")
_PROBLEM = {"$ref": REFERENCE.format(name=Problem.__name__)}
TEXT_TYPE = "text/plain"
TOKEN, SESSION = "token", "session"
_SCHEMES = {
    TOKEN: {"type": "http", "scheme": "bearer", "description": "A token of POST /api/v1/tokens."},
    SESSION: {
        "type": "apiKey",
        "in": "cookie",
        "name": SECURE_COOKIE,
        "description": (
            f"What POST /api/v1/login gives a browser; without TLS it is {PLAIN_COOKIE}. "
            "A change needs the header X-Broker-CSRF too."
        ),
    },
}
"""Ways in over HTTP; over the Unix socket nobody logs in."""
_EVENT = {
    "description": "One event; a member is a line of it.",
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "event": {"type": "string", "description": "What kind it is of."},
        "data": {"type": "string", "description": "JSON on one line."},
        "retry": {"type": "string", "description": "Milliseconds after which to connect again."},
    },
}


def document(operations: Sequence[Operation]) -> dict[str, Any]:
    """The document."""
    types: set[type[msgspec.Struct]] = {Problem, BrokenRow}
    for each in operations:
        types.update(found for found in (each.answer, each.rows, each.body) if found is not None)
    ordered = sorted(types, key=lambda each: each.__name__)
    _, components = msgspec.json.schema_components(ordered, ref_template=REFERENCE)
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Administration of the broker",
            "version": __version__,
            "description": "x-right says who may: all, or at least the role monitoring, operator or administrator.",
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": {name: described(components[name]) for name in sorted(components)},
            "responses": {
                "Problem": {"description": "Why it was refused.", "content": {PROBLEM_TYPE: {"schema": _PROBLEM}}}
            },
            "securitySchemes": _SCHEMES,
        },
    }


def write(operations: Sequence[Operation]) -> str:
    """The text of the document."""
    return json.dumps(document(operations), indent=1, ensure_ascii=False) + "\n"


def document_operation(operations: Iterable[Operation]) -> Operation:
    """The operation that tells it.

    Args:
        operations: all others.
    """
    found: list[Operation] = list(operations)

    async def handler(call: Call) -> Answer:
        return Answer(write(found).encode())

    operation = Operation(
        "getDocument",
        "GET",
        f"{API}/openapi.json",
        Right.ALL,
        handler,
        "This document.",
        None,
        any_level=True,
        media_type=JSON_TYPE,
    )
    found.append(operation)
    return operation


def _operation(operation: Operation) -> dict[str, Any]:
    path = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in _PARAMETER.findall(operation.path)
    ]
    query = [{"name": each.name, "in": "query", "schema": dict(each.schema)} for each in operation.parameters]
    refused: dict[str, Any] = {"$ref": "#/components/responses/Problem"}
    answered: dict[str, Any] = {"description": operation.status.phrase}
    if operation.status is not HTTPStatus.NO_CONTENT:
        answered["content"] = {operation.media_type: {"schema": _answer(operation)}}
        if operation.streams:
            answered["content"][EVENT_TYPE] = {"schema": _EVENT}
    answers = {str(operation.status.value): answered}
    if operation.also is not None:
        answers[str(operation.also.value)] = {**answered, "description": operation.also.phrase}
    described: dict[str, Any] = {
        "operationId": operation.id,
        "summary": operation.summary,
        "x-right": operation.right.value,
        "x-cost": operation.cost.value,
        "security": [] if operation.right is Right.ALL else [{TOKEN: []}, {SESSION: []}],
        "responses": {**answers, "4XX": refused, **({} if "503" in answers else {"5XX": refused})},
    }
    if path or query:
        described["parameters"] = [*path, *query]
    if operation.body is not None:
        schema = {"$ref": REFERENCE.format(name=operation.body.__name__)}
        required = any(field.required for field in msgspec.structs.fields(operation.body))
        described["requestBody"] = {"required": required, "content": {JSON_TYPE: {"schema": schema}}}
    return described


def _answer(operation: Operation) -> dict[str, Any]:
    if operation.rows is not None and operation.answer is not None:
        rows = [{"$ref": REFERENCE.format(name=each.__name__)} for each in (operation.rows, BrokenRow)]
        page = {"properties": {"items": {"type": "array", "items": {"anyOf": rows}}}}
        return {"allOf": [{"$ref": REFERENCE.format(name=operation.answer.__name__)}, page]}
    if operation.media_type == EVENT_TYPE:
        return _EVENT
    if operation.answer is None:
        return {"type": "string"} if operation.media_type != JSON_TYPE else {"type": "object"}
    return {"$ref": REFERENCE.format(name=operation.answer.__name__)}


def described(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema whose description is the first paragraph of its type's, and whose properties have what Args says."""
    text = schema.pop("description", "")
    summary, _, rest = text.partition("\n\n")
    given = {"description": " ".join(summary.split()), **schema} if summary else dict(schema)
    for name, help in _arguments(rest).items():
        properties = given.get("properties", {})
        key = re.sub(r"_(\w)", lambda match: match[1].upper(), name)
        if key in properties:
            properties[key] = {"description": help, **properties[key]}
    return given


def _arguments(text: str) -> dict[str, str]:
    """What a docstring says of the fields of a type, by their names."""
    found: dict[str, str] = {}
    name = ""
    for line in text.partition("Args:")[2].splitlines():
        match = re.fullmatch(r" {4,8}(\w+): (.*)", line)
        if match is not None:
            name = match[1]
            found[name] = match[2]
        elif name and line.strip():
            found[name] += f" {line.strip()}"
    return {name: help.replace("``", "") for name, help in found.items()}
