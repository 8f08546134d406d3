"""Whether two elements say the same."""

from __future__ import annotations

from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.xml.fingerprint import fingerprint

OWN = "urn:own"
ELEMENT = b"<m a='1' b='2'><body>x &amp; y</body><z xmlns='urn:z'/></m>"


def mark(data: bytes) -> int:
    return fingerprint(data, OWN, frozenset({"urn:alias"}))


@pytest.mark.parametrize(
    "data",
    [
        b'<m b="2" a="1"><body>x &#38; y</body><z xmlns="urn:z"></z></m>',
        b"<m xmlns='urn:own' a='1' b='2'><body>x &amp; y</body><z xmlns='urn:z'/></m>",
        b"<m xmlns='urn:alias' a='1' b='2'><body>x &amp; y</body><z xmlns='urn:z'/></m>",
        b"<o:m xmlns:o='urn:own' a='1' b='2'><o:body>x <![CDATA[&]]> y</o:body><q:z xmlns:q='urn:z'/></o:m>",
        b"<m a='1' b='2'><body>x &amp;<!-- no --> y</body><z xmlns='urn:z'/></m>",
    ],
)
def test_how_it_is_written_does_not_matter(data: bytes) -> None:
    assert mark(data) == mark(ELEMENT)


@pytest.mark.parametrize(
    "data",
    [
        b"<n a='1' b='2'><body>x &amp; y</body><z xmlns='urn:z'/></n>",
        b"<m xmlns='urn:other' a='1' b='2'><body>x &amp; y</body><z xmlns='urn:z'/></m>",
        b"<m a='1'><body>x &amp; y</body><z xmlns='urn:z'/></m>",
        b"<m a='2' b='1'><body>x &amp; y</body><z xmlns='urn:z'/></m>",
        b"<m a='1' b='2' c=''><body>x &amp; y</body><z xmlns='urn:z'/></m>",
        b"<m a='1' b='2'><body>x &amp; y </body><z xmlns='urn:z'/></m>",
        b"<m a='1' b='2'><body>x &amp; y</body><z/></m>",
        b"<m a='1' b='2'><body>x &amp; y<z xmlns='urn:z'/></body></m>",
        b"<m a='1' b='2'><z xmlns='urn:z'/><body>x &amp; y</body></m>",
    ],
)
def test_what_it_says_does(data: bytes) -> None:
    assert mark(data) != mark(ELEMENT)


def test_what_is_not_well_formed_has_none() -> None:
    with pytest.raises(ValueError, match="not well-formed"):
        mark(b"<m>")


texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"))


@given(texts, texts)
def test_texts_are_told_apart(one: str, other: str) -> None:
    marks = [mark(f"<m>{escape(text)}</m>".encode()) for text in (one, other)]
    assert (marks[0] == marks[1]) is (one == other)
