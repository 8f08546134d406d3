"""What a client answers to an update of many messages, message by message."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.errors import BrokerError
from broker.native.update_answers import OK, encode_outcomes, refusals_of
from broker.native.wire.frames import Frame, Kind, encode_unit

CODES = st.sampled_from(["user.update.error", "user.update.holdback", "internal.unknown", "communication.timeout"])
OUTCOMES = st.lists(st.none() | st.builds(BrokerError, CODES, st.text("ab<&'ä \n", max_size=20)), max_size=12)


def answer(body: bytes) -> Frame:
    return Frame(Kind.RESPONSE, b"1", b"update", b"", body)


@given(OUTCOMES)
def test_the_broker_reads_what_the_client_writes(outcomes: list[BrokerError | None]) -> None:
    refused = refusals_of(answer(encode_outcomes(outcomes)))
    expected = {position: each for position, each in enumerate(outcomes) if each is not None}
    assert {position: each.code for position, each in refused.items()} == {
        position: each.code for position, each in expected.items()
    }
    assert all(each.message.split() == expected[position].message.split() for position, each in refused.items())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        OK * 3,
        encode_unit(b"<qos/>"),
        encode_unit(b"<qos><state id='ERROR' info='user.update.error'/></qos>"),
        encode_unit(b"<qos><state id='user.update.error'"),
        b"user.update.error\0key\0999\0",
    ],
)
def test_an_answer_refuses_nothing_unless_a_state_is_an_error_code(body: bytes) -> None:
    assert refusals_of(answer(body)) == {}
