"""Rosters and block lists that administration has put where accounts keep theirs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection

import pytest

from broker.errors import BrokerError
from broker.model.records import DocumentRecord
from broker.xmpp.accounts import BLOCKED, ROSTER, RosterItem
from broker.xmpp.features.private_storage import PRIVATE, VCARD
from tests.xmpp.world import Peer, World

GET_ROSTER = "<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>"


def contacts(peer: Peer) -> list[str]:
    """Addresses in the roster of a client."""
    peer.take()
    peer.send(GET_ROSTER)
    (query,) = peer.one().children
    return sorted(item.attributes["jid"] for item in query.children)


async def told(listener: Callable[[Collection[str]], Awaitable[None]], owner: str) -> None:
    await listener({owner})


def carry(world: World, owner: str) -> None:
    """Have those told who keep documents in memory."""
    for listener in world.broker.documents.on_carried:
        world.run(told(listener, owner))


def test_client_that_is_online_gets_contacts_that_were_put_when_it_asks_again() -> None:
    world = World()
    joe = world.bind("joe@localhost/x")
    joe.send("<iq type='set' id='s'><query xmlns='jabber:iq:roster'><item jid='old@localhost'/></query></iq>")
    world.turn()
    documents = world.broker.documents
    documents.put("joe", ROSTER, "new@localhost", RosterItem("new@localhost").to_bytes())
    documents.delete("joe", ROSTER, "old@localhost")
    carry(world, "joe")
    assert contacts(joe) == ["new@localhost"]


def test_who_is_blocked_by_a_list_that_was_put_gets_nothing_through_until_it_is_taken_away() -> None:
    world = World()
    joe, jack = world.bind("joe@localhost/x"), world.bind("jack@localhost/x")
    message = "<message to='joe@localhost' type='chat'><body>hello</body></message>"
    world.broker.documents.put("joe", BLOCKED, "jack@localhost", b"")
    carry(world, "joe")
    joe.take()
    jack.send(message)
    world.turn()
    assert joe.bodies() == []
    world.broker.documents.delete("joe", BLOCKED, "jack@localhost")
    carry(world, "joe")
    jack.send(message)
    world.turn()
    assert joe.bodies() == ["hello"]


@pytest.mark.parametrize(
    ("kind", "name", "data"),
    [
        (ROSTER, "a@localhost", b"{}x"),
        (ROSTER, "a@@b", b"{}"),
        (BLOCKED, "a@localhost", b"x"),
        (BLOCKED, "a@@b", b""),
        (VCARD, "", b"<vCard"),
        (PRIVATE, "n e", b"<e xmlns='n'>" + b"x" * 70_000 + b"</e>"),
    ],
)
def test_document_that_is_none_of_its_kind_is_refused(kind: str, name: str, data: bytes) -> None:
    check = World().broker.documents.carried[kind]
    with pytest.raises(BrokerError):
        check(DocumentRecord("joe", kind, name, data))


def test_service_that_has_stopped_is_told_no_more() -> None:
    world = World()
    world.service.stop()
    assert world.broker.documents.on_carried == []
