"""What the broker is told of the messages of one update: each has an outcome of its own."""

from __future__ import annotations

import pytest

from broker.client import Update
from broker.errors import BrokerError, Code
from broker.native.update_answers import refusals_of
from broker.native.wire.frames import Frame, Kind
from tests.client.fake_broker import FakeBroker

NEWS = "__subId:client/joe/session/1-exact:news"
TEN = [b"%d" % number for number in range(10)]


class Program:
    """Takes updates, but for some."""

    def __init__(self, **errors: Exception) -> None:
        self.got: list[str] = []
        self._errors = errors
        self.broker = FakeBroker(on_update=self._take)
        self.broker.connect()
        self.broker.connection.read()

    def _take(self, update: Update) -> None:
        self.got.append(update.text)
        error = self._errors.get(f"on_{update.text}")
        if error is not None:
            raise error

    def answer(self) -> Frame:
        """To the last update."""
        (answer,) = self.broker.connection.read()
        return answer


def test_ten_messages_that_are_taken_are_acknowledged_together() -> None:
    program = Program()
    program.broker.connection.updates("news", TEN, NEWS)
    answer = program.answer()
    assert (answer.kind, len(answer.units()), refusals_of(answer)) == (Kind.RESPONSE, 10, {})


def test_one_callback_that_fails_refuses_its_message_and_no_other() -> None:
    program = Program(on_4=ValueError("boom"))
    program.broker.connection.updates("news", TEN, NEWS)
    answer = program.answer()
    assert program.got == [content.decode() for content in TEN]
    assert answer.kind is Kind.RESPONSE
    ((position, refused),) = refusals_of(answer).items()
    assert (position, refused.code, refused.message) == (4, Code.USER_UPDATE_ERROR, "boom")


@pytest.mark.parametrize("code", [Code.USER_UPDATE_HOLDBACK, Code.COMMUNICATION_TIMEOUT])
def test_what_is_behind_a_message_that_asks_for_a_pause_is_not_handed_out(code: Code) -> None:
    program = Program(on_7=BrokerError(code, "wait"))
    program.broker.connection.updates("news", TEN, NEWS)
    assert program.got == [content.decode() for content in TEN[:8]]
    assert {position: each.code for position, each in refusals_of(program.answer()).items()} == dict.fromkeys(
        (7, 8, 9), code
    )


def test_an_update_of_which_nothing_is_taken_is_answered_with_an_exception() -> None:
    program = Program(on_0=BrokerError(Code.USER_UPDATE_HOLDBACK, "wait"))
    program.broker.connection.updates("news", TEN, NEWS)
    assert program.answer().kind is Kind.EXCEPTION


def test_messages_behind_one_that_fails_are_handed_out_where_nobody_is_answered() -> None:
    program = Program(on_4=ValueError("boom"))
    program.broker.connection.updates("news", TEN, NEWS, method=b"updateOneway")
    assert program.got == [content.decode() for content in TEN]
    assert program.broker.connection.read() == []
