"""Who calls whom in the service: what its parts ask of each other, and what they are told of clients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from broker.core.message import Message
from broker.core.sessions import Session
from broker.model.jid import JID
from broker.xml.stanza import Stanza
from broker.xmpp.accounts import Account, RosterItem

if TYPE_CHECKING:
    from broker.xmpp.routing.domain import Client


class Copies(Protocol):
    """Sends copies of messages to whom else they concern (XEP-0280)."""

    def are_wanted(self, client: Client, to: JID, receivers: list[Session]) -> bool:
        """Whether anybody gets copies of messages between two parties."""

    def send(
        self, client: Client, stanza: Stanza, sent: Message, to: JID, receivers: list[Session], *, waits: bool = False
    ) -> None:
        """Send copies of a message that was delivered, or that waits for the receiver."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """The calls between parts of the service; :class:`broker.xmpp.service.XmppService` says who takes them.

    Args:
        blocks: whether an account blocks a JID (XEP-0191); asked by whoever routes or shows presence.
        holds: whether a stanza is held back from a client that nobody looks at (XEP-0352); asked with every stanza that
            is of no use to anybody else, with the key of those that replace each other.
        copies: of messages; told by the router.
        show_to_contact: an account's presence must be shown to a JID, or no longer:
            ``show_to_contact(account, jid, available)``; told by subscriptions and block lists.
        contact_removed: a contact is about to be removed from the roster of an account, and its subscriptions with it;
            told by the roster.
        recovered: a client's session came back from the store; nobody may be told anything (I7).
        resumed: a client goes on over a new connection.
        ended: a client's session ends; it is still among the domain's clients.
    """

    blocks: Callable[[Account, JID], bool]
    holds: Callable[[Client, bytes, str], bool]
    copies: Copies
    show_to_contact: Callable[[Account, JID, bool], None]
    contact_removed: Callable[[Account, RosterItem], None]
    recovered: Sequence[Callable[[Client], None]]
    resumed: Sequence[Callable[[Client], None]]
    ended: Sequence[Callable[[Client], None]]
