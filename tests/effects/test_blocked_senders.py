"""Whom an account blocks sends it nothing, by whatever protocol, and learns no more than of a name that is nobody."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from broker.errors import BrokerError, Code
from broker.model.key import Key
from broker.model.qos import Destination, PublishQos
from broker.xmpp.wire import ns
from tests.core.world import Client
from tests.effects.tongues import Plugin
from tests.xmpp.world import Peer, World

MARY = "<item jid='mary@localhost'/>"


@pytest.fixture
def world() -> World:
    return World()


def block(peer: Peer, action: str = "block", items: str = MARY) -> None:
    peer.send(f"<iq type='set' id='b'><{action} xmlns='{ns.BLOCKING}'>{items}</{action}></iq>")
    peer.take()


def refused(send: Callable[[], object]) -> bool:
    try:
        send()
    except BrokerError as error:
        assert error.code == Code.USER_PTP_UNKNOWN_DESTINATION
        return True
    return False


def send(world: World, client: Client, to: str, content: bytes, *, force: bool = False) -> None:
    plan = world.broker.prepare(
        client.session, Key("ptp"), PublishQos(destinations=(Destination(to, force_queuing=force),), subscribable=False)
    )
    world.run(world.broker.publish_when_possible(client.session, plan, content))
    world.turn()


@pytest.mark.parametrize("force", [False, True])
def test_a_native_client_reaches_nobody_who_blocks_it(world: World, force: bool) -> None:
    jack, mary, ann = world.bind("jack@localhost/x"), world.client("mary/1"), world.client("ann/1")
    block(jack)
    assert refused(lambda: send(world, mary, "jack", b"1", force=force))
    send(world, ann, "jack", b"2")
    assert jack.bodies() == ["2"]


def test_neither_does_it_reach_a_native_session_of_such_an_account(world: World) -> None:
    jack, mary, native = world.bind("jack@localhost/x"), world.client("mary/1"), world.client("jack/1")
    send(world, mary, "jack/1", b"1")
    block(jack)
    assert refused(lambda: send(world, mary, "jack/1", b"2"))
    block(jack, "unblock")
    send(world, mary, "jack/1", b"3")
    assert native.contents == [b"1", b"3"]


def test_a_plan_that_was_made_before_holds_no_longer(world: World) -> None:
    jack, mary = world.bind("jack@localhost/x"), world.client("mary/1")
    native = world.client("jack/1")
    mary.send("jack/1", b"1")
    mary.send("jack/1", b"2")
    block(jack)
    assert refused(lambda: mary.send("jack/1", b"3"))
    assert native.contents == [b"1", b"2"]


def test_nor_where_another_address_of_the_same_request_cannot_be_kept(world: World) -> None:
    jack, mary = world.bind("jack@localhost/x"), world.client("mary/1")
    native = world.client("jack/1")
    mary.send("jack/1", b"1")
    mary.send("jack/1", b"2")
    block(jack, items=f"{MARY}<item jid='zoe@localhost/{'x' * 1023}'/>")
    assert refused(lambda: mary.send("jack/1", b"3"))
    assert native.contents == [b"1", b"2"]


def test_plans_are_given_up_once_for_many_addresses_and_never_for_the_same_again(world: World) -> None:
    jack = world.bind("jack@localhost/x")
    told: list[None] = []
    world.broker.on_rights_changed.append(lambda: told.append(None))
    many = "".join(f"<item jid='u{number}@localhost'/>" for number in range(100))
    block(jack, items=many)
    assert len(told) == 1
    block(jack, items=many)
    block(jack, "unblock", many)
    assert len(told) == 1


def test_routes_are_looked_for_once_more_when_many_addresses_are_unblocked(world: World) -> None:
    jack = world.bind("jack@localhost/x")
    many = "".join(f"<item jid='u{number}@localhost'/>" for number in range(100))
    block(jack, items=many)
    before = world.service.domain.changes
    block(jack, "unblock", many)
    block(jack, "unblock", many)
    assert world.service.domain.changes == before + 1


@pytest.mark.parametrize("force", [False, True])
def test_block_lists_of_those_who_are_away_are_read_first(world: World, force: bool) -> None:
    block(world.bind("jack@localhost/x"))
    again = world.crash()
    mary = again.client("mary/1")
    assert refused(lambda: send(again, mary, "jack", b"1", force=force))
    assert again.bind("jack@localhost/x").bodies() == []


def test_a_plugin_is_no_exception(world: World) -> None:
    jack = world.bind("jack@localhost/x")
    jack.send(f"<iq type='set' id='b'><block xmlns='{ns.BLOCKING}'><item jid='joe@localhost'/></block></iq>")
    jack.take()
    plugin = Plugin(world)
    qos = PublishQos(destinations=(Destination("jack"),), subscribable=False)
    plan = world.broker.prepare(plugin.session, Key("ptp"), qos)
    assert refused(lambda: plugin.run(world.broker.publish_when_possible(plugin.session, plan, b"1")))


def test_messages_to_names_without_an_account_are_sent_as_before(world: World) -> None:
    mary, native = world.client("mary/1"), world.client("nobody/1")
    send(world, mary, "nobody/1", b"1")
    send(world, mary, "nobody/1", b"2")
    assert native.contents == [b"1", b"2"]
