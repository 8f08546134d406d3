"""What operations of the API take and give, as ``openapi.json`` describes it; options of commands come from there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import quote, urlencode

from broker.config.installation import find_folder
from broker.model.json_object import object_or_none

FOLDER, FILE = "docs", "openapi.json"
MAX_DEPTH = 4
"""Of objects within each other, of which a column may show a field."""
_PART = re.compile(r"\{(\w+)\}")

Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of the query, or a member of the body.

    Args:
        name: of it.
        schema: of its value (JSON Schema), without references.
        required: a request without it is refused.
    """

    name: str
    schema: Schema
    required: bool = False


@dataclass(frozen=True, slots=True)
class Described:
    """An operation.

    Args:
        id: of it.
        method: of HTTP.
        path: with the names of its parameters in braces.
        summary: one sentence.
        query: parameters of the query.
        body: members of the body in JSON.
        fields: paths of what its answer has, of a list those of a row, such as ``queue.entries``.
        is_list: it is answered in pages.
    """

    id: str
    method: str
    path: str
    summary: str
    query: tuple[Parameter, ...]
    body: tuple[Parameter, ...]
    fields: tuple[str, ...]
    is_list: bool

    def target(self, path: Mapping[str, str], query: Mapping[str, str]) -> str:
        """Path and query of a request, encoded.

        Args:
            path: values of the parameters in the path.
            query: of those of the query.
        """
        filled = _PART.sub(lambda match: quote(path[match[1]], safe=""), self.path)
        return f"{filled}?{urlencode(query)}" if query else filled


class Document:
    """A document of the API.

    Args:
        content: members of its JSON object.
    """

    def __init__(self, content: Mapping[str, Any]) -> None:
        self._schemas: Mapping[str, Schema] = content["components"]["schemas"]
        self._found = {
            operation["operationId"]: (method.upper(), path, operation)
            for path, methods in content["paths"].items()
            for method, operation in methods.items()
        }

    @property
    def ids(self) -> frozenset[str]:
        """Ids of all operations."""
        return frozenset(self._found)

    def operation(self, id: str, rows: str = "items") -> Described:
        """One operation.

        Args:
            id: of it.
            rows: member of its answer that is a list, if any.

        Raises:
            KeyError: there is none of this id.
        """
        method, path, found = self._found[id]
        answer = self._answer(found)
        row = self._row(answer, rows)
        query = tuple(
            Parameter(each["name"], self._resolved(each["schema"]), each.get("required", False))
            for each in found.get("parameters", ())
            if each["in"] == "query"
        )
        fields = tuple(self._fields(answer if row is None else row, MAX_DEPTH))
        return Described(id, method, path, found["summary"], query, self._body(found), fields, row is not None)

    def _answer(self, operation: Mapping[str, Any]) -> Schema:
        for status, response in operation["responses"].items():
            content = response.get("content", {}).get("application/json") if status.startswith("2") else None
            if content is not None:
                schema: Schema = content["schema"]
                return schema
        return {}

    def _body(self, operation: Mapping[str, Any]) -> tuple[Parameter, ...]:
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if content is None:
            return ()
        schema = self._resolved(content["schema"])
        required = schema.get("required", ())
        return tuple(
            Parameter(name, self._resolved(each), name in required)
            for name, each in schema.get("properties", {}).items()
        )

    def _row(self, answer: Schema, name: str) -> Schema | None:
        """The schema of the rows in a member of an answer; ``None`` where it has no such list."""
        for part in (*answer.get("allOf", ())[::-1], self._resolved(answer)):
            found = part.get("properties", {}).get(name, {})
            if found.get("type") == "array":
                items: Schema = found["items"]
                row: Schema = items.get("anyOf", [items])[0]
                return row
        return None

    def _resolved(self, schema: Schema) -> Schema:
        """A schema without a reference, and without the choice to be null."""
        while True:
            if "$ref" in schema:
                described = {key: value for key, value in schema.items() if key != "$ref"}
                schema = {**self._schemas[schema["$ref"].rpartition("/")[2]], **described}
                continue
            real = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
            if len(real) != 1:
                return schema
            described = {key: value for key, value in schema.items() if key != "anyOf"}
            schema = {**real[0], **described}

    def _fields(self, schema: Schema, depth: int, prefix: str = "") -> Iterator[str]:
        properties = self._resolved(schema).get("properties")
        if properties is None or not depth:
            if prefix:
                yield prefix
            return
        for name, each in properties.items():
            yield from self._fields(each, depth - 1, f"{prefix}.{name}" if prefix else name)


@cache
def installed_document() -> Document:
    """The document that belongs to this command."""
    content = object_or_none((find_folder(FOLDER, FILE) / FILE).read_bytes())
    if content is None:
        raise ValueError(f"{FOLDER}/{FILE} of the installation is no JSON object")
    return Document(content)
