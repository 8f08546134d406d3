"""A client that asks for much and reads little."""

from __future__ import annotations

from tests.xmpp.world import World

LARGE = "x" * 50_000
GET = "<iq type='get' id='{}'><query xmlns='jabber:iq:private'><a xmlns='example'/></query></iq>"
SET = f"<iq type='set' id='s'><query xmlns='jabber:iq:private'><a xmlns='example'>{LARGE}</a></query></iq>"


def test_answers_of_one_read_are_made_as_they_are_read() -> None:
    """Given large answers, when many are asked for at once, then no more than some are made before any is read."""
    world = World()
    peer = world.bind("joe@localhost/x")
    peer.send(SET)
    peer.take()
    made: list[int] = []

    def full_after_each_write(data: bytes) -> None:
        made.append(len(data))
        peer.stream.set_writable(False)

    peer.transport.written = full_after_each_write
    peer.send("".join(GET.format(number) for number in range(100)))
    assert 0 < sum(made) < 10 * len(LARGE)

    while sum(made) < 100 * len(LARGE):
        before = len(made)
        peer.stream.set_writable(True)
        world.turn()
        assert len(made) > before
        assert sum(made[before:]) < 10 * len(LARGE)

    assert [tree.attributes["id"] for tree in peer.take()] == [str(number) for number in range(100)]


def test_stanzas_of_one_read_give_way_to_others_between_any_two() -> None:
    """Given stanzas that each take longer than a turn, when many come at once, then each has a turn of its own."""
    world = World()
    peer = world.bind("joe@localhost/x")
    peer.take()
    peer.transport.turn_is_over = True
    asked: list[object] = []
    peer.transport.turns = lambda: asked.append(None)
    peer.send("".join(GET.format(number) for number in range(20)))
    answers = [tree.attributes["id"] for tree in peer.take()]
    turns = 0
    while asked:
        asked.clear()
        peer.stream.turn()
        world.turn()
        turns += 1
        more = [tree.attributes["id"] for tree in peer.take()]
        assert len(more) <= 1
        answers += more
    assert turns == 19
    assert answers == [str(number) for number in range(20)]


def test_bytes_that_came_meanwhile_follow_in_order() -> None:
    world = World()
    peer = world.bind("joe@localhost/x")
    peer.take()
    peer.transport.turn_is_over = True
    for number in range(10):
        peer.stream.received(GET.format(number).encode())
    world.turn()
    assert [tree.attributes["id"] for tree in peer.take()] == [str(number) for number in range(10)]
