"""Strangers do not learn who has an account, unless they write to them (RFC 6121 §8.5.1, XEP-0030 §8)."""

from __future__ import annotations

import re

import pytest

from broker.xmpp.wire import ns
from tests.xmpp.test_presence import interested, presences, roster
from tests.xmpp.test_routing import refusal
from tests.xmpp.world import Peer, World, settings

STATE = "<composing xmlns='http://jabber.org/protocol/chatstates'/>"
NO_STORE = f"<no-store xmlns='{ns.HINTS}'/>"


def iq(type: str, payload: str) -> str:
    return f"<iq type='{type}' id='1' to='TO'>{payload}</iq>"


STANZAS = [
    *(
        f"<presence to='TO'{type}/>"
        for type in (
            "",
            *(
                f" type='{each}'"
                for each in ("unavailable", "probe", "subscribe", "subscribed", "unsubscribe", "unsubscribed", "error")
            ),
        )
    ),
    "<message to='TO' type='headline'><body>x</body></message>",
    "<message to='TO' type='error'><body>x</body></message>",
    "<message to='TO' type='groupchat'><body>x</body></message>",
    f"<message to='TO' type='chat'>{STATE}</message>",
    f"<message to='TO'>{STATE}</message>",
    f"<message to='TO' type='chat'><body>x</body>{NO_STORE}</message>",
    f"<message to='TO' type='unknown'><x xmlns='urn:x'/>{NO_STORE}</message>",
    "<message to='TO'/>",
    *(
        iq("get", f"<query xmlns='{namespace}'{node}/>")
        for namespace in (ns.DISCO_INFO, ns.DISCO_ITEMS)
        for node in ("", " node='n'")
    ),
    *(iq("get", f"<query xmlns='{each}'/>") for each in (ns.LAST, ns.ROSTER, ns.VERSION, ns.PRIVATE, "urn:unknown")),
    iq("get", f"<vCard xmlns='{ns.VCARD}'/>"),
    iq("set", f"<vCard xmlns='{ns.VCARD}'/>"),
    iq("get", f"<ping xmlns='{ns.PING}'/>"),
    iq("get", f"<blocklist xmlns='{ns.BLOCKING}'/>"),
    iq("set", f"<query xmlns='{ns.ROSTER}'><item jid='a@b'/></query>"),
    iq("result", ""),
]


@pytest.fixture
def world() -> World:
    return World(settings(idle=-1))


def answers(peer: Peer, stanza: str, name: str, resource: str) -> list[str]:
    """What a stanza to somebody is answered with, whoever that is."""
    peer.take()
    peer.send(stanza.replace("TO", f"{name}@localhost{resource}"))
    peer.world.advance(5)
    found = b"\n".join(tree.to_bytes() for tree in peer.take()).decode().replace(name, "NAME")
    return re.sub(r" (?:ver|id)=[\"'](?:push-)?[0-9a-f]{8,}[\"']", "", found).splitlines()


@pytest.mark.parametrize("resource", ["", "/none"])
@pytest.mark.parametrize("stanza", STANZAS)
def test_an_account_that_is_away_answers_as_one_that_is_not_there(world: World, stanza: str, resource: str) -> None:
    stranger = interested(world, "mary@localhost/m")
    assert answers(stranger, stanza, "jack", resource) == answers(stranger, stanza, "nobody", resource)


@pytest.mark.parametrize("type", ["normal", "groupchat", "headline", "error"])
def test_neither_does_a_message_to_a_resource_that_is_not_there_tell(world: World, type: str) -> None:
    # RFC 6121 §8.5.3.2
    stranger = interested(world, "mary@localhost/m")
    stanza = f"<message to='TO' type='{type}'><body>x</body></message>"
    assert answers(stranger, stanza, "jack", "/none") == answers(stranger, stanza, "nobody", "/none")


def test_a_message_that_would_be_stored_is_refused_where_nobody_is(world: World) -> None:
    # RFC 6121 §8.5.1: the sender may be told, and would else believe that it is read one day.
    joe = world.bind("joe@localhost/x")
    for to in ("nobody@localhost", "nobody@localhost/x"):
        assert refusal(joe, f"<message to='{to}' type='chat'><body>x</body></message>") == "service-unavailable"


def test_a_request_for_presence_of_nobody_waits_as_one_of_somebody_who_does_not_answer(world: World) -> None:
    # RFC 6121 §8.5.1
    joe = interested(world, "joe@localhost/x")
    joe.send("<presence type='subscribe' to='nobody@localhost'/>")
    assert presences(joe) == []
    assert roster(joe)["nobody@localhost"] == {"jid": "nobody@localhost", "subscription": "none", "ask": "subscribe"}
    joe.send("<presence type='unsubscribe' to='nobody@localhost'/>")
    assert presences(joe) == []
    assert "ask" not in roster(joe)["nobody@localhost"]


@pytest.mark.parametrize(
    ("to", "expected"),
    [
        ("localhost", "service-unavailable"),
        ("localhost/x", "service-unavailable"),
        ("pubsub.localhost", "service-unavailable"),
        ("elsewhere.example", "remote-server-not-found"),
        ("joe@elsewhere.example", "remote-server-not-found"),
    ],
)
def test_a_request_for_presence_of_what_is_no_account_here_is_refused(world: World, to: str, expected: str) -> None:
    # RFC 6120 §10.4, §10.5.1
    joe = interested(world, "joe@localhost/x")
    assert refusal(joe, f"<presence type='subscribe' to='{to}'/>") == expected
    assert roster(joe) == {}
