"""Each state of a subscription with each stanza that may change it (RFC 6121 Appendix A)."""

from __future__ import annotations

import pytest

from tests.xmpp.test_presence import interested, presences
from tests.xmpp.world import Peer, World, settings

NONE, TO, FROM, BOTH = "none", "to", "from", "both"
OUT, IN = " + out", " + in"
STATES = (NONE, NONE + OUT, NONE + IN, NONE + OUT + IN, TO, TO + IN, FROM, FROM + OUT, BOTH)
MIRRORED = {
    NONE: NONE,
    NONE + OUT: NONE + IN,
    NONE + IN: NONE + OUT,
    NONE + OUT + IN: NONE + OUT + IN,
    TO: FROM,
    TO + IN: FROM + OUT,
    FROM: TO,
    FROM + OUT: TO + IN,
    BOTH: BOTH,
}
"""What the contact's state is when the user's is this."""

OUTBOUND = {
    "subscribe": {NONE: NONE + OUT, NONE + IN: NONE + OUT + IN, FROM: FROM + OUT},
    "unsubscribe": {
        NONE + OUT: NONE,
        NONE + OUT + IN: NONE + IN,
        TO: NONE,
        TO + IN: NONE + IN,
        FROM + OUT: FROM,
        BOTH: FROM,
    },
    "subscribed": {NONE + IN: FROM, NONE + OUT + IN: FROM + OUT, TO + IN: BOTH},
    "unsubscribed": {
        NONE + IN: NONE,
        NONE + OUT + IN: NONE + OUT,
        TO + IN: TO,
        FROM: NONE,
        FROM + OUT: NONE + OUT,
        BOTH: TO,
    },
}
"""A.2: the user's state after the user has sent a stanza; the other states do not change."""

INBOUND = {
    "subscribe": {NONE: NONE + IN, NONE + OUT: NONE + OUT + IN, TO: TO + IN},
    "unsubscribe": {
        NONE + IN: NONE,
        NONE + OUT + IN: NONE + OUT,
        TO + IN: TO,
        FROM: NONE,
        FROM + OUT: NONE + OUT,
        BOTH: TO,
    },
    "subscribed": {NONE + OUT: TO, NONE + OUT + IN: TO + IN, FROM + OUT: BOTH},
    "unsubscribed": {
        NONE + OUT: NONE,
        NONE + OUT + IN: NONE + IN,
        TO: NONE,
        TO + IN: NONE + IN,
        FROM + OUT: FROM,
        BOTH: FROM,
    },
}
"""A.3: the contact's state after that; it is told where its state changes, and only there."""


@pytest.fixture
def world() -> World:
    return World(settings(idle=-1))


def send(peer: Peer, type: str, to: Peer) -> None:
    peer.send(f"<presence type='{type}' to='{to.jid.partition('/')[0]}'/>")


def bring_into(state: str, user: Peer, contact: Peer) -> None:
    """Let two who know nothing of each other get into a state, which is the user's."""
    for one, other, reached in ((user, contact, (TO, BOTH)), (contact, user, (FROM, BOTH))):
        if state.startswith(reached):
            send(one, "subscribe", other)
            send(other, "subscribed", one)
    if OUT in state:
        send(user, "subscribe", contact)
    if IN in state:
        send(contact, "subscribe", user)
    for peer in (user, contact):
        peer.take()


def state_of(peer: Peer, contact: Peer) -> str:
    account = peer.world.service.domain.accounts.get(peer.jid.partition("@")[0])
    assert account is not None
    item = account.roster.get(contact.jid.partition("/")[0])
    if item is None:
        return NONE
    return item.subscription + (OUT if item.ask else "") + (IN if item.pending_in else "")


@pytest.mark.parametrize("type", OUTBOUND)
@pytest.mark.parametrize("state", STATES)
def test_a_stanza_changes_both_sides_and_is_told_as_the_tables_say(world: World, state: str, type: str) -> None:
    user, contact = interested(world, "joe@localhost/x"), interested(world, "jack@localhost/y")
    bring_into(state, user, contact)
    mirrored = MIRRORED[state]
    assert (state_of(user, contact), state_of(contact, user)) == (state, mirrored)
    send(user, type, contact)
    assert state_of(user, contact) == OUTBOUND[type].get(state, state)
    assert state_of(contact, user) == INBOUND[type].get(mirrored, mirrored)
    told = [told for told, from_ in presences(contact) if from_ == "joe@localhost"]
    assert told == ([type] if mirrored in INBOUND[type] else [])


@pytest.mark.parametrize("state", [TO, TO + IN, BOTH])
def test_who_may_see_the_contact_already_is_answered_for_it(world: World, state: str) -> None:
    # RFC 6121 §3.1.3: the contact's server answers, and the contact is not asked again.
    user, contact = interested(world, "joe@localhost/x"), interested(world, "jack@localhost/y")
    bring_into(state, user, contact)
    send(user, "subscribe", contact)
    assert state_of(user, contact) == state
    assert presences(contact) == []


@pytest.mark.parametrize("state", STATES)
def test_both_sides_are_the_same_after_a_crash(world: World, state: str) -> None:
    user, contact = interested(world, "joe@localhost/x"), interested(world, "jack@localhost/y")
    bring_into(state, user, contact)
    again = world.crash()
    user, contact = interested(again, "joe@localhost/x"), interested(again, "jack@localhost/y")
    assert (state_of(user, contact), state_of(contact, user)) == (state, MIRRORED[state])
