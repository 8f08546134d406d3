from __future__ import annotations

import pytest

from broker.xml.well_formed import is_element


@pytest.mark.parametrize(
    "data",
    [
        b"<a/>",
        b"<a b='1'>x<c/>&lt;</a>",
        b"<a xmlns='urn:x' ><![CDATA[<]]></a>",
        b"<p:a xmlns:p='urn:x'/>",
        "<a>é💥</a>".encode(),
        b"<a>" * 99 + b"</a>" * 99,
    ],
)
def test_one_element_is_found(data: bytes) -> None:
    assert is_element(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x",
        b"<",
        b"<a",
        b"<a>",
        b"<a/><a/>",
        b"<a/>x",
        b" <a/>",
        b"</stream:stream>",
        b"<a></b>",
        b"<a>\xff</a>",
        b"<a>\0</a>",
        b"<a b='<'/>",
        b"<a>&nbsp;</a>",
        b"<?xml version='1.0'?><a/>",
        b"<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>",
        b"<a b='1' b='2'/>",
    ],
)
def test_anything_else_is_none(data: bytes) -> None:
    assert not is_element(data)


def test_it_has_one_of_the_names() -> None:
    assert is_element(b"<message/>", "message", "iq")
    assert not is_element(b"<messages/>", "message", "iq")
    assert not is_element(b"<mess\xffage/>", "message")
