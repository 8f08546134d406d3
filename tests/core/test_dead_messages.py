"""Dead messages that are sent again: once, or not at all."""

from __future__ import annotations

from typing import Any

import pytest

from broker.core.dead_letters import DeadGroup
from broker.core.dead_messages import DeadMessage, DeadMessages
from broker.errors import BrokerError, Code
from broker.model.property import find
from broker.model.qos import QueueQos
from tests.core.world import Client, World
from tests.xmpp.world import World as XmppWorld

PERSISTENT = "<qos><persistent/><priority>7</priority><clientProperty name='city'>Bern</clientProperty></qos>"
POISON = BrokerError(Code.USER_UPDATE_ERROR, "I cannot read that")


def all_of(world: World, **settings: Any) -> list[DeadMessage]:
    """The dead messages."""

    async def collect() -> list[DeadMessage]:
        return [each async for each in world.broker.dead_messages.all(**settings)]

    return world.run(collect())


def refused(world: World, count: int = 1, name: str = "joe/1") -> Client:
    """A persistent client that has refused messages of a topic."""
    joe = world.client(name, answers=False, persistent=True)
    joe.subscribe("news")
    ann = world.client("ann", callback=False)
    for number in range(count):
        ann.publish("news", b"%d" % number, PERSISTENT)
        joe.session.dispatch.refused(POISON)
        world.turn()
    joe.outbound.answers = True
    joe.outbound.bulks.clear()
    return joe


def test_dead_message_tells_what_it_was() -> None:
    world = World()
    refused(world)
    (dead,) = all_of(world)
    assert (dead.oid, dead.group, dead.code) == ("news", DeadGroup.REFUSED_BY_CLIENT, "user.update.error")
    assert (dead.receiver, dead.text) == ("/node/heron/client/joe/1", "I cannot read that")
    assert dead.sender.startswith("/node/heron/client/ann/")
    assert (dead.replays, dead.message.content) == (0, b"0")
    assert dead.received < dead.id


def test_dead_messages_come_in_either_order_also_after_a_restart() -> None:
    world = World()
    refused(world, 3)
    world = world.crash()
    assert [dead.message.content for dead in all_of(world)] == [b"0", b"1", b"2"]
    assert [dead.message.content for dead in all_of(world, newest_first=True)] == [b"2", b"1", b"0"]
    assert [dead.message.content for dead in all_of(world, contents=False)] == [b"", b"", b""]


def test_message_is_sent_again_as_it_was_and_marked() -> None:
    world = World()
    joe = refused(world)
    (dead,) = all_of(world)
    letters: DeadMessages = world.broker.dead_messages

    letters.replay(dead, letters.receiver_of(dead))
    world.turn()

    (entry,) = joe.outbound.entries
    qos, properties = entry.message.qos, entry.message.qos.properties
    assert (entry.message.content, entry.message.oid, qos.priority, qos.persistent) == (b"0", "news", 7, True)
    assert qos.sender == dead.sender
    assert {each.name: each.text for each in properties} == {
        "city": "Bern",
        "_replayOf": str(dead.id),
        "_replays": "1",
    }
    assert all_of(world) == []


def test_message_that_dies_again_knows_how_often_it_was_sent_again() -> None:
    world = World()
    joe = refused(world)
    joe.outbound.answers = False
    for replays in range(1, 4):
        (dead,) = all_of(world)
        assert dead.replays == replays - 1
        world.broker.dead_messages.replay(dead, joe.session)
        world.turn()
        joe.session.dispatch.refused(POISON)
        world.turn()
    (dead,) = all_of(world)
    marks = [each for each in dead.message.qos.properties if each.name == "__qos"]
    assert (dead.replays, marks[0].text.count("_replays")) == (3, 1)


@pytest.mark.parametrize("committed", [False, True])
def test_crash_leaves_a_message_dead_or_sent_again_and_never_both(committed: bool) -> None:
    world = World()
    joe = refused(world)
    joe.lose_connection()
    world.run(world.broker.dead_messages.load())
    (dead,) = all_of(world)
    world.store.commit()
    world.broker.dead_messages.replay(dead, joe.session)

    world = world.crash(committed=committed)

    joe.world = world
    assert len(all_of(world)) == (0 if committed else 1)
    assert joe.come_back() is joe.outbound
    world.turn(50)
    assert joe.contents == ([b"0"] if committed else [])


def test_message_is_published_on_its_topic_again() -> None:
    world = World()
    joe, jack = refused(world), world.client("jack")
    jack.subscribe("news")
    (dead,) = all_of(world)
    world.broker.dead_messages.replay(dead, world.broker.dead_messages.topic_of(dead))
    world.turn()
    assert (joe.contents, jack.contents[-1:], all_of(world)) == ([b"0"], [b"0"], [])


def test_message_is_sent_to_a_login_name_and_waits_there() -> None:
    world = World()
    refused(world)
    (dead,) = all_of(world)
    bob = world.node.subject("bob")
    world.broker.dead_messages.replay(dead, bob)
    world = world.crash()
    bobs = world.client("bob")
    assert (bobs.contents, all_of(world)) == ([b"0"], [])


def test_message_stays_dead_where_its_receiver_is_gone_or_full() -> None:
    world = World()
    joe = refused(world)
    (dead,) = all_of(world)
    full = world.client("full/1", answers=False, queue=QueueQos("callback", max_entries=1))
    world.client("ann").send("full/1", b"x")
    with pytest.raises(BrokerError, match="is full"):
        world.broker.dead_messages.replay(dead, full.session)
    joe.disconnect()
    with pytest.raises(BrokerError, match="there is no session"):
        world.broker.dead_messages.receiver_of(dead)
    assert len(all_of(world)) == 1


def test_message_that_was_sent_again_already_is_not_sent_once_more() -> None:
    world = World()
    joe = refused(world)
    (dead,) = all_of(world)
    world.broker.dead_messages.replay(dead, joe.session)
    with pytest.raises(BrokerError, match="any more"):
        world.broker.dead_messages.replay(dead, joe.session)
    world.turn()
    assert joe.contents == [b"0"]


def test_dead_message_is_deleted() -> None:
    world = World()
    refused(world, 2)
    first, second = all_of(world)
    world.broker.dead_messages.delete(first)
    assert [dead.id for dead in all_of(world)] == [second.id]
    with pytest.raises(BrokerError, match="any more"):
        world.broker.dead_messages.delete(first)


def test_stanza_is_sent_again_as_it_was() -> None:
    world = XmppWorld()
    joe = world.bind("joe@localhost/x", sm=True)
    world.bind("jack@localhost/y").send("<message to='joe@localhost' type='chat'><body>hello</body></message>")
    joe.take()
    (session,) = world.node.subjects["joe"].sessions.values()
    entry = session.dispatch.outstanding[-1]
    world.broker.letters.message(entry.message, session.name.absolute, POISON)
    (dead,) = all_of(world)
    world.broker.dead_messages.replay(dead, session)
    world.turn()
    assert joe.bodies() == ["hello"]
    assert find(dead.message.qos.properties, "__key") is not None
    with pytest.raises(BrokerError, match="no topic"):
        world.broker.dead_messages.topic_of(dead)


def test_long_names_of_a_message_that_is_not_kept_are_cut() -> None:
    world = World()
    oid = "o" * 60_000
    joe = world.client("joe/1", answers=False)
    joe.subscribe(oid)
    world.client("ann", callback=False).publish(oid, b"x")
    joe.session.dispatch.refused(BrokerError(Code.USER_UPDATE_ERROR, "r" * 60_000))
    world.turn()
    (lost,) = world.broker.letters.lost
    assert [len(lost.oid), len(lost.text)] == [400, 400]
    assert lost.oid.endswith("o…")
