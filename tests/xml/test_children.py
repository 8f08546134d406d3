"""The elements in an element, as they came."""

from __future__ import annotations

import pytest

from broker.xml.children import NoParent, children_of


def children(data: bytes) -> list[bytes]:
    return children_of(data, max_depth=4, most=3)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"<a/>", []),
        (b"<a></a>", []),
        (b"<a> <b/>\n<c/> </a>", [b"<b/>", b"<c/>"]),
        (b"<a><b x='/>'/><b x='>'></b></a>", [b"<b x='/>'/>", b"<b x='>'></b>"]),
        (b"<a><b>/></b><b><c/></b></a>", [b"<b>/></b>", b"<b><c/></b>"]),
        (b"<a><b><![CDATA[</b>]]></b ></a>", [b"<b><![CDATA[</b>]]></b >"]),
        ("<a><b>ü&amp;</b><ü/></a>".encode(), ["<b>ü&amp;</b>".encode(), "<ü/>".encode()]),
    ],
)
def test_they_are_the_bytes_between_the_tags_of_the_outer_one(data: bytes, found: list[bytes]) -> None:
    assert children(data) == found


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<a>",
        b"<a/><a/>",
        b"<a></b>",
        b"<a>text</a>",
        b"<a><b/>text</a>",
        b"<a><![CDATA[x]]></a>",
        b"<a><!-- x --></a>",
        b"<a><b><?x y?></b></a>",
        b"<!DOCTYPE a><a/>",
        b"<a>&x;</a>",
        b"<a><b/><b/><b/><b/></a>",
        b"<a><b><c><d><e/></d></c></b></a>",
        b"<a>\xff</a>",
    ],
)
def test_what_has_none_or_more_than_it_may_have_is_refused(data: bytes) -> None:
    with pytest.raises(NoParent):
        children(data)
