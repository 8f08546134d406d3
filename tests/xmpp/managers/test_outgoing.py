"""What a session sends and keeps, whatever is acknowledged and sent again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.xmpp.managers.outgoing import Outgoing
from broker.xmpp.wire.frames import FrameError

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(1, 20)),
        st.tuples(st.just("take"), st.integers(0, 30)),
        st.tuples(st.just("acknowledge"), st.integers(0, 100)),
        st.tuples(st.just("send_from"), st.integers(0, 100)),
    ),
    max_size=40,
)


@given(STEPS)
def test_bytes_leave_in_order_from_where_they_are_expected(steps: list[tuple[str, int]]) -> None:
    outgoing = Outgoing()
    stream, acknowledged, sent = b"", 0, 0
    for step, number in steps:
        if step == "add":
            data = bytes([(len(stream) + each) % 251 for each in range(number)])
            stream += data
            outgoing.add(data)
        elif step == "take":
            assert outgoing.take(number) == stream[sent : sent + number]
            sent = min(sent + number, len(stream))
        elif step == "acknowledge" and number <= sent:
            assert outgoing.acknowledge(number) == max(0, number - acknowledged)
            acknowledged = max(acknowledged, number)
        elif step == "send_from" and acknowledged <= number <= sent:
            outgoing.send_from(number)
            sent = number
        elif step in ("acknowledge", "send_from"):
            with pytest.raises(FrameError):
                getattr(outgoing, step)(number)
        assert (outgoing.acknowledged, outgoing.sent, outgoing.end) == (acknowledged, sent, len(stream))
        assert outgoing.size == len(stream) - acknowledged
    assert sum(map(len, outgoing._chunks)) <= outgoing.size + 19
