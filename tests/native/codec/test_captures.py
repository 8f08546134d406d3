"""Every key and QoS of the recorded conversations of the real servers and clients is read and written alike."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import pytest

from broker.model.key import QueryKind
from broker.model.qos import QueryQos, UpdateQos
from broker.native import codec
from broker.xml.document import topic_document
from broker.xml.parse import Element, parse
from broker.xml.xpath import compile_query
from tests.data import CAPTURES


class Unit(NamedTuple):
    """One unit of a frame with what its frame says about it."""

    direction: str
    kind: str
    method: str
    qos: bytes
    key: bytes


def units_of(data: bytes, direction: str) -> Iterator[Unit]:
    while data[:10].strip().isdigit():
        length = int(data[:10])
        frame, data = data[:length], data[length:]
        if len(frame) < max(length, 21):  # a bare ping or a probe with a wrong length
            continue
        kind, fields = chr(frame[12]), frame[16:]
        _request, method, _session, _unzipped, rest = fields.split(b"\0", 4)
        while rest.count(b"\0") >= 3:
            qos, key, size, rest = rest.split(b"\0", 3)
            rest = rest[int(size or b"0") :]
            yield Unit(direction, kind, method.decode(), qos, key)


@cache
def captured() -> list[Unit]:
    units: dict[Unit, None] = {}
    for connection in sorted(CAPTURES.glob("*/conn*")):
        if "xmlrpc" in connection.parent.name or "xmlscript" in connection.parent.name:
            continue
        for direction in ("c2s", "s2c"):
            plain = connection / f"{direction}.plain.bin"
            raw = connection / f"{direction}.bin"
            source = plain if plain.exists() else raw
            if source.exists():
                units.update(dict.fromkeys(units_of(source.read_bytes(), direction)))
    return [unit for unit in units if unit.kind != "E" and b"frphevgl" not in unit.qos]


def well_formed(data: bytes) -> bool:
    return data.rstrip().endswith(b">")


def select(direction: str, kind: str, *methods: str) -> list[Unit]:
    return [unit for unit in captured() if (unit.direction, unit.kind) == (direction, kind) and unit.method in methods]


def normal(data: bytes) -> object:
    """A document as nested tuples, without what does not matter: blanks, order of attributes and properties."""
    root = parse(re.sub(rb">\s+<(?=/?(?:user|passwd)>)|(?<=CDATA\[)\s+|\s+(?=\]\]>)", _join, data), "qos")
    return _normal(root)


def _join(match: re.Match[bytes]) -> bytes:
    return b"><" if match[0].startswith(b">") else b""


def _normal(element: Element) -> object:
    children = [_normal(child) for child in element.children]
    plain = [child for child in children if child[0] != "clientproperty"]  # type: ignore[index]
    properties = sorted(child for child in children if child[0] == "clientproperty")  # type: ignore[index,type-var]
    return (element.name, tuple(sorted(element.attributes.items())), element.text.strip(), tuple(plain + properties))


def test_the_captures_hold_what_these_tests_are_about() -> None:
    assert {unit.method for unit in captured()} >= {"connect", "publish", "subscribe", "update", "get", "erase"}
    assert len(captured()) > 150


@pytest.mark.parametrize("unit", select("s2c", "R", "connect"))
def test_connect_answers_are_written_as_they_were_sent(unit: Unit) -> None:
    assert normal(codec.write_connect_qos(codec.read_connect_qos(unit.qos), redact=False)) == normal(unit.qos)


@pytest.mark.parametrize("unit", [unit for unit in select("c2s", "I", "connect") if well_formed(unit.qos)])
def test_connects_are_read(unit: Unit) -> None:
    qos = codec.read_connect_qos(unit.qos)
    written = codec.write_connect_qos(qos, redact=False)
    assert codec.read_connect_qos(written) == qos
    if b"securityService" in unit.qos:
        assert qos.credentials is not None
        assert (qos.credentials.type, qos.credentials.password) == ("htpasswd", "secret")


@pytest.mark.parametrize("unit", select("s2c", "I", "update"))
def test_updates_are_written_as_they_were_sent(unit: Unit) -> None:
    update = codec.read_update_qos(unit.qos)
    assert update != UpdateQos(update.publish)
    assert normal(codec.write_update_qos(update)) == normal(unit.qos)


@pytest.mark.parametrize("unit", [unit for unit in select("s2c", "R", "get") if unit.qos])
def test_answers_to_get_are_written_as_they_were_sent(unit: Unit) -> None:
    expected = unit.qos if len(unit.qos) >= 16 else b"<qos><isPublish/></qos>"
    assert normal(codec.write_get_qos(codec.read_update_qos(unit.qos))) == normal(expected)


@pytest.mark.parametrize(
    "unit", [unit for unit in select("s2c", "R", "publish", "subscribe", "unSubscribe", "erase", "ping") if unit.qos]
)
def test_status_answers_are_written_as_they_were_sent(unit: Unit) -> None:
    assert normal(codec.write_status_qos(codec.read_status_qos(unit.qos))) == normal(unit.qos)


@pytest.mark.parametrize(
    "unit", [unit for unit in select("c2s", "I", "publish", "publishOneway") if well_formed(unit.qos)]
)
def test_publishes_are_read_and_written_alike(unit: Unit) -> None:
    qos = codec.read_publish_qos(unit.qos)
    if b"isPublish" in unit.qos:
        assert normal(codec.write_publish_qos(qos)) == normal(unit.qos)


@pytest.mark.parametrize("unit", select("c2s", "I", "subscribe", "unSubscribe", "get", "erase"))
def test_queries_are_read_and_written_alike(unit: Unit) -> None:
    marker = codec.read_status_qos(unit.qos).method
    assert normal(codec.write_query_qos(codec.read_query_qos(unit.qos), marker)) == normal(unit.qos or b"<qos/>")
    key = codec.read_query_key(unit.key)
    assert codec.read_query_key(codec.write_query_key(key)) == key
    if key.kind is QueryKind.XPATH and key.text != "//[":
        compile_query(key.text)


@pytest.mark.parametrize(
    "unit", [unit for unit in captured() if unit.method in ("publish", "update") and well_formed(unit.key)]
)
def test_keys_are_written_byte_for_byte(unit: Unit) -> None:
    key = codec.read_key(unit.key)
    assert key == codec.read_key(codec.write_key(key))
    if unit.key.startswith(b"\n <key"):
        assert b"\n " + codec.write_key(key) == unit.key
    assert topic_document(key).root[0].get("oid") == key.oid


def test_a_captured_query_qos_says_more_than_the_defaults() -> None:
    read = {codec.read_query_qos(unit.qos) for unit in select("c2s", "I", "subscribe")}
    assert QueryQos(persistent=True) in read
    assert QueryQos(history_entries=3) in read
