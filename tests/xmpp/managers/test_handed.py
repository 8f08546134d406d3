"""What a connection manager may give back."""

from __future__ import annotations

from broker.xmpp.managers.handed import MAX_MESSAGES, REMEMBERED, HandedMessages


def message(number: int = 1) -> bytes:
    return b"<message><body>%d</body></message>" % number


def test_each_message_is_taken_as_often_as_it_was_handed_over() -> None:
    handed = HandedMessages()
    handed.add(message())
    handed.add(message())
    assert [handed.take(message()) for _ in range(3)] == [True, True, False]


def test_nothing_is_taken_where_nothing_was_handed_over() -> None:
    assert not HandedMessages().take(message())


def test_the_newest_are_remembered() -> None:
    handed = HandedMessages()
    for number in range(MAX_MESSAGES + 2):
        handed.add(message(number))
    assert [handed.take(message(number)) for number in (0, 1, 2, MAX_MESSAGES + 1)] == [False, False, True, True]


def test_they_are_forgotten_when_none_was_added_for_long() -> None:
    handed = HandedMessages()
    handed.add(message(1))
    handed.rest(0.0)
    handed.rest(REMEMBERED - 1)
    handed.add(message(2))
    handed.rest(REMEMBERED)
    handed.rest(2 * REMEMBERED - 1)
    assert handed.take(message(1))
    handed.rest(2 * REMEMBERED)
    assert not handed.take(message(2))


def test_what_is_not_well_formed_is_passed_over() -> None:
    handed = HandedMessages()
    handed.add(b"<message>")
    assert not handed.take(b"<message>")
