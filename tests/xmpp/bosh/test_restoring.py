"""What a stream sends again after a crash, told from what is new."""

from __future__ import annotations

from broker.xmpp.bosh.records import Record
from broker.xmpp.bosh.restoring import id_of, sort_again


def message(id: str) -> bytes:
    return f"<message xmlns='jabber:client'><stanza-id xmlns='urn:xmpp:sid:0' by='a@b' id='{id}'/></message>".encode()


RECORD = Record("joe", "stream", rid=20, start=0, acknowledged=5, answered=20, kept=["18 a b", "20 c"])


def test_an_id_is_that_of_a_message() -> None:
    assert id_of(message("a")) == "a"
    assert id_of(b"<presence><stanza-id xmlns='urn:xmpp:sid:0' by='a@b' id='a'/></presence>") == ""
    assert id_of(b"<message/>") == ""


def test_answers_are_made_again_and_the_others_had_nothing() -> None:
    kept, rest = sort_again(RECORD, [(message("a"), 6), (message("b"), 7), (message("c"), 8), (message("d"), 9)])
    assert [id for id in b"abc".decode() if f"id='{id}'".encode() in kept[18][0]] == ["a", "b"]
    assert message("c") in kept[20][0]
    assert kept[19][0].endswith(b"/>")
    assert [number for _, (_, number) in sorted(kept.items())][-3:] == [7, 7, 8]
    assert rest == [(message("d"), 9)]


def test_nothing_is_acknowledged_that_comes_behind_what_is_new() -> None:
    kept, rest = sort_again(RECORD, [(message("a"), 6), (message("x"), 7), (message("c"), 8)])
    assert (kept[18][1], kept[20][1]) == (6, 6)
    assert rest == [(message("x"), 8)]


def test_of_a_stream_that_sends_nothing_again_nothing_is_new() -> None:
    kept, rest = sort_again(RECORD, [])
    assert rest == []
    assert {number for _, number in kept.values()} == {5}
