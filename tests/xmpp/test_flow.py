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
    write = peer.transport.write

    def full_after_each_write(data: bytes) -> None:
        write(data)
        made.append(len(data))
        peer.stream.set_writable(False)

    peer.transport.write = full_after_each_write  # type: ignore[method-assign]
    peer.send("".join(GET.format(number) for number in range(100)))
    assert 0 < sum(made) < 10 * len(LARGE)

    while sum(made) < 100 * len(LARGE):
        before = len(made)
        peer.stream.set_writable(True)
        world.turn()
        assert len(made) > before
        assert sum(made[before:]) < 10 * len(LARGE)

    assert [tree.attributes["id"] for tree in peer.take()] == [str(number) for number in range(100)]
