"""Elements are cut out of a stream that several clients share, whatever is in them."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.xml.cutter import MAX_OPEN, SKIPPED, Closing, Cut, CutError, ElementCutter, Opening, Piece

HEADER = b"<stream:stream xmlns:stream='urn:s' to='cm1/Worker - 1'>"
GOOD = b"<route streamid='good'><message/></route>"


def cut(data: bytes, *, max_size: int = 1000, sizes: int = 0) -> list[Cut]:
    """What is cut out of a stream behind its header.

    Args:
        data: behind the header.
        max_size: longest element.
        sizes: bytes that come at a time; 0 for all at once.
    """
    cutter = ElementCutter(max_size)
    found: list[Cut] = []
    whole = HEADER + data
    for start in range(0, len(whole), sizes or len(whole)):
        cutter.add(whole[start : start + (sizes or len(whole))])
        while (event := cutter.next()) is not None:
            found.append(event)
    assert found.pop(0) == Opening(HEADER)
    return found


def pieces(data: bytes, **options: int) -> list[bytes]:
    """The elements behind the header."""
    return [event.data for event in cut(data, **options) if isinstance(event, Piece)]


WELL_FORMED = [
    b"<route/>",
    b"<route a='>'></route>",
    b'<route a="/>" b=\'"\'>text</route>',
    b"<route><message><route>inner</route></message></route>",
    b"<route><body><![CDATA[</route><a>]]></body></route>",
    b"<route><!-- </route> ' --><a/></route>",
    b"<route><?pi </route> ?><a/></route>",
    b"<route>\n<a  b = 'c' ></a ></route\n>",
    b"<iq><x xmlns='u:v'>don't &lt; \"x</x></iq>",
]


@pytest.mark.parametrize("data", WELL_FORMED)
@pytest.mark.parametrize("sizes", [0, 1, 3])
def test_well_formed_element_is_cut_as_a_parser_would(data: bytes, sizes: int) -> None:
    assert cut(data + GOOD, sizes=sizes)[0] == cut(data)[0]
    assert pieces(data + b" \n" + GOOD, sizes=sizes) == [data, GOOD]


BROKEN = [
    b"<route><message></route>",
    b"<route><message></body></message></route>",
    b"<route><a><b></a></route>",
    b"<route></stream:stream></route>",
    b"<route><message to='a><body/></message></route>",
    b"<route><message to=\"a' b=c <x></message></route>",
    b"<route><a><route><b></a></route>",
]


@pytest.mark.parametrize("data", BROKEN)
@pytest.mark.parametrize("sizes", [0, 1])
def test_element_whose_tags_do_not_match_takes_nothing_of_the_next_one(data: bytes, sizes: int) -> None:
    broken, good = cut(data + GOOD, sizes=sizes)
    assert isinstance(broken, Piece)
    assert broken.data == data
    assert good == cut(GOOD)[0]


def test_illegal_character_reference_is_left_to_the_parser() -> None:
    assert pieces(b"<route><body>&#1;</body></route>" + GOOD)[1] == GOOD


def test_element_that_is_too_long_is_dropped_and_the_next_one_found() -> None:
    for content in (b"x" * 1500, b"<a/>" * 400, b"<![CDATA[" + b"<" * 2000 + b"]]>", b"<!--" + b">" * 2000 + b"-->"):
        for sizes in (0, 1, 97):
            long, good = cut(b"<route streamid='a'>" + content + b"</route>" + GOOD, sizes=sizes)
            assert isinstance(long, Piece)
            assert (long.is_too_long, long.tag, long.data) == (True, b"<route streamid='a'>", b"")
            assert good == cut(GOOD)[0]


def test_element_without_end_is_given_up() -> None:
    with pytest.raises(CutError):
        cut(b"<route>" + b"<a/>" * 250 * SKIPPED, sizes=100)
    with pytest.raises(CutError):
        cut(b"<route a='" + b"x" * 2000, sizes=100)
    with pytest.raises(CutError):
        cut(b"<a>" * (MAX_OPEN + 2), max_size=1 << 20)


def test_stream_is_closed_by_its_end_tag_alone() -> None:
    assert cut(GOOD + b"</stream:stream>")[1:] == [Closing()]
    assert cut(b"</route></a>" + GOOD) == cut(GOOD)


def test_what_follows_an_element_can_be_left_to_somebody_else() -> None:
    cutter = ElementCutter(1000)
    cutter.add(HEADER + b"<starttls/>\x16\x03<\x01")
    assert isinstance(cutter.next(), Opening)
    assert isinstance(cutter.next(), Piece)
    assert cutter.take_rest() == b"\x16\x03<\x01"
    cutter.restart()
    cutter.add(HEADER)
    assert cutter.next() == Opening(HEADER)


@given(st.lists(st.sampled_from([*WELL_FORMED[:7], b" ", b"\n"]), max_size=8), st.randoms(use_true_random=False))
def test_elements_do_not_depend_on_how_their_bytes_come(parts: list[bytes], source: random.Random) -> None:
    data = HEADER + b"".join(parts)
    cutter, found = ElementCutter(1000), []
    while data:
        size = source.randint(1, 20)
        cutter.add(data[:size])
        data = data[size:]
        while (event := cutter.next()) is not None:
            found.append(event)
    assert [event.data for event in found if isinstance(event, Piece)] == [part for part in parts if part.strip()]


@given(st.binary(max_size=200), st.integers(1, 50))
def test_any_bytes_are_cut_or_refused(data: bytes, max_size: int) -> None:
    cutter = ElementCutter(max_size)
    cutter.add(b"<s>" + data)
    try:
        while cutter.next() is not None:
            pass
    except CutError:
        pass
