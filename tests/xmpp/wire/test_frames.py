"""Frames on a link of a connection manager, and what they say in JSON."""

from __future__ import annotations

import json
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.xmpp.wire import frames
from broker.xmpp.wire.frame_values import (
    BrokerHello,
    Closed,
    Goodbye,
    LoggedIn,
    ManagerHello,
    Open,
    Opened,
    Refused,
    Resume,
    Secured,
    Tls,
)
from broker.xmpp.wire.frames import Frame, FrameError, FrameReader, Type

SESSIONS = st.integers(1, frames.MOST)
OFFSETS = st.integers(0, frames.MOST)
JSON_TYPES = sorted(set(Type) - set(frames._SIZES))


def _frame(type: Type, session: int, payload: bytes) -> Frame:
    return Frame(type, frames.LINK if type in (Type.HELLO, Type.PING, Type.PONG, Type.GOODBYE) else session, payload)


FRAMES = st.one_of(
    st.builds(_frame, st.sampled_from([Type.PING, Type.PONG]), SESSIONS, st.binary(max_size=frames.MAX_PING)),
    st.builds(_frame, st.sampled_from(JSON_TYPES), SESSIONS, st.just(b"{}")),
    st.builds(_frame, st.just(Type.DATA), SESSIONS, st.binary(min_size=8, max_size=100)),
    st.builds(
        _frame,
        st.sampled_from([Type.ACK, Type.START_TLS, Type.CLOSE, Type.ATTACH, Type.ATTACHED]),
        SESSIONS,
        st.binary(min_size=8, max_size=8),
    ),
    st.builds(_frame, st.sampled_from([Type.ABORT, Type.UNKNOWN]), SESSIONS, st.just(b"")),
)


def reader(accepts: frozenset[Type] = frozenset(Type)) -> FrameReader:
    return FrameReader(accepts)


class TestFrames:
    @given(st.lists(FRAMES, max_size=8), st.lists(st.integers(0, 2000), max_size=30))
    def test_any_cut_gives_the_same(self, sent: list[Frame], cuts: list[int]) -> None:
        data = b"".join([frames.encode(*frame) for frame in sent])
        points = sorted({0, len(data), *(cut % (len(data) or 1) for cut in cuts)})
        link = reader()
        found = [frame for start, end in pairwise(points) for frame in link.feed(data[start:end])]
        assert (found, link.error, link.incomplete) == (sent, None, 0)

    @given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=5))
    def test_garbage_is_frames_an_error_or_incomplete_however_it_is_cut(self, data: bytes, cuts: list[int]) -> None:
        whole, cut = reader(frames.FROM_MANAGER), reader(frames.FROM_MANAGER)
        points = sorted({0, len(data), *(point % (len(data) or 1) for point in cuts)})
        found = []
        for start, end in pairwise(points):
            if cut.error is None:
                found += cut.feed(data[start:end])
        assert found == whole.feed(data)
        assert str(cut.error) == str(whole.error)

    def test_a_frame_is_length_type_session_and_payload(self) -> None:
        assert frames.encode(Type.PING, payload=b"ab") == b"\0\0\0\2\2\0\0\0\0\0\0\0\0ab"
        assert frames.encode_offset(Type.ACK, 258, 3) == b"\0\0\0\x08\x21\0\0\0\0\0\0\1\2" + b"\0\0\0\0\0\0\0\3"
        assert frames.encode_data(1, 5, b"x") == b"\0\0\0\x09\x20\0\0\0\0\0\0\0\1" + b"\0\0\0\0\0\0\0\5x"

    @given(SESSIONS, st.integers(0, 1 << 60), st.integers(0, 3), st.integers(-1, 1))
    def test_long_data_is_several_frames_without_a_gap(self, session: int, offset: int, count: int, more: int) -> None:
        data = b"x" * max(1, count * frames.MAX_DATA + more)
        found = reader().feed(frames.encode_data(session, offset, data))
        assert b"".join([frame.data for frame in found]) == data
        for frame in found:
            assert (frame.type, frame.session, frame.offset) == (Type.DATA, session, offset)
            offset += len(frame.data)

    def test_a_frame_that_is_too_long_is_refused_by_its_header(self) -> None:
        link = reader()
        assert link.feed(frames.encode(Type.DATA, 1, bytes(frames.MAX_PAYLOAD))[:20]) == []
        assert link.error is None
        link = reader()
        assert link.feed((frames.MAX_PAYLOAD + 1).to_bytes(4, "big") + b"\x20" + bytes(7) + b"\1") == []
        assert isinstance(link.error, FrameError)

    @pytest.mark.parametrize(
        "wrong",
        [
            frames.encode(Type.PING, 1),
            frames.encode(Type.DATA, 0, bytes(9)),
            frames.encode(Type.PING, 0, bytes(frames.MAX_PING + 1)),
            frames.encode(Type.DATA, 1, bytes(7)),
            frames.encode(Type.ACK, 1, bytes(9)),
            frames.encode(Type.ATTACH, 1, bytes(7)),
            frames.encode(Type.CLOSED, 1, b"{"),
        ],
        ids=["link frame of a session", "session frame of the link", "ping", "data", "ack", "attach", "json"],
    )
    def test_a_frame_that_cannot_be_breaks_the_link_behind_those_before(self, wrong: bytes) -> None:
        link = reader(frames.FROM_MANAGER)
        assert len(link.feed(frames.encode(Type.PING) + wrong)) == 1
        assert link.error is not None
        with pytest.raises(FrameError):
            link.feed(b"")

    @pytest.mark.parametrize("type", sorted(Type))
    def test_a_side_may_send_what_is_of_its_direction(self, type: Type) -> None:
        payload = bytes(frames._SIZES[type][0]) if type in frames._SIZES else b"{}"
        data = frames.encode(*_frame(type, 1, payload))
        for accepts in (frames.FROM_MANAGER, frames.FROM_BROKER):
            link = reader(accepts)
            assert len(link.feed(data)) == (type in accepts)
            assert (link.error is None) is (type in accepts)

    def test_each_type_is_of_a_direction(self) -> None:
        assert set(Type) == frames.FROM_MANAGER | frames.FROM_BROKER
        assert Type.OPEN not in frames.FROM_BROKER
        assert Type.OPENED not in frames.FROM_MANAGER

    def test_an_unknown_type_breaks_the_link(self) -> None:
        link = reader()
        link.feed(b"\0\0\0\0\x63" + bytes(8))
        assert "99" in str(link.error)


TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=0x10FFF, exclude_categories=["Cs"]), max_size=20).filter(
    lambda text: "\ufffe" not in text and "\uffff" not in text
)
TLS = st.builds(Tls, TEXTS, TEXTS, TEXTS, st.dictionaries(TEXTS, st.binary(max_size=40)), st.binary(max_size=40))
VALUES = st.one_of(
    st.builds(ManagerHello, TEXTS, TEXTS, st.integers(0, 9)),
    st.builds(BrokerHello, TEXTS, OFFSETS, OFFSETS, st.integers(0, 9999), st.integers(0, 9), st.integers(0, 9)),
    st.builds(Goodbye, TEXTS, TEXTS),
    st.builds(
        Open,
        TEXTS,
        st.integers(0, 65535),
        st.integers(0, 65535),
        st.none() | TLS,
        st.none() | st.builds(Resume, TEXTS, TEXTS, st.integers(0, (1 << 32) - 1), TEXTS),
    ),
    st.builds(Opened, st.none() | st.integers(0, (1 << 32) - 1)),
    st.builds(Refused, TEXTS, TEXTS),
    st.builds(Secured, OFFSETS, TLS),
    st.builds(LoggedIn, TEXTS),
    st.builds(Closed, TEXTS),
)
KINDS = [ManagerHello, BrokerHello, Goodbye, Open, Opened, Refused, Secured, LoggedIn, Closed]


class TestValues:
    @given(VALUES)
    def test_a_value_is_read_as_it_was_written(self, value: Any) -> None:
        assert type(value).read(value.encode()) == value

    @given(VALUES)
    def test_unknown_members_are_ignored(self, value: Any) -> None:
        more = json.dumps({**json.loads(value.encode()), "later": [1]}).encode()
        assert type(value).read(more) == value

    @given(st.sampled_from(KINDS), st.binary(max_size=50))
    def test_garbage_is_a_value_or_refused(self, kind: Any, payload: bytes) -> None:
        with suppress(FrameError):
            kind.read(payload)

    @given(
        st.sampled_from(KINDS),
        st.dictionaries(
            st.sampled_from(["version", "instance", "run", "reason", "address", "secure", "tls", "resume", "offset"]),
            st.recursive(
                st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
                lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=3), inner),
                max_leaves=4,
            ),
        ),
    )
    def test_members_of_any_kind_are_a_value_or_refused(self, kind: Any, members: dict[str, Any]) -> None:
        with suppress(FrameError):
            kind.read(json.dumps(members).encode()).encode()

    @pytest.mark.parametrize(
        "payload",
        [b"", b"[]", b"null", b"\xff", b'{"account":1}', b'{"account":"\\ud800"}', b'{"account":"\\u0001"}', b"{}"],
    )
    def test_a_payload_without_its_member_is_refused(self, payload: bytes) -> None:
        with pytest.raises(FrameError):
            LoggedIn.read(payload)

    def test_deep_nesting_is_refused_or_ignored(self) -> None:
        with pytest.raises(FrameError):
            LoggedIn.read(b'{"account":' * 100_000)

    @pytest.mark.parametrize(
        "members",
        [
            {"address": "10.0.0.1", "port": 65536},
            {"address": "10.0.0.1", "port": -1},
            {"address": "10.0.0.1", "port": True},
            {"address": "10.0.0.1", "secure": 1},
            {"address": "10.0.0.1", "secure": True, "tls": []},
            {"address": "10.0.0.1", "secure": True, "tls": {"certificate": "?"}},
            {"address": "10.0.0.1", "resume": {"account": "joe", "previd": "1", "h": 1 << 32, "header": ""}},
        ],
    )
    def test_an_open_with_a_member_that_cannot_be_is_refused(self, members: dict[str, Any]) -> None:
        with pytest.raises(FrameError):
            Open.read(json.dumps(members).encode())

    def test_tls_counts_only_where_it_is_on(self) -> None:
        assert Open.read(b'{"address":"10.0.0.1","tls":{"version":"TLSv1.3"}}').tls is None
        assert Open.read(b'{"address":"10.0.0.1","secure":true}').tls == Tls()
