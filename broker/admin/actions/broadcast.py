"""A message of the administrator to everybody who is there (operations §1.6)."""

from __future__ import annotations

from enum import StrEnum

import msgspec
from twisted.internet.task import deferLater

from broker.admin.actions.change import Body, ChangeDesk, Request, broker_of, change_operation
from broker.admin.api.bodies import wrong_member
from broker.admin.api.operations import Operation
from broker.admin.filtering import by_pattern
from broker.admin.listing import Predicate
from broker.admin.roles import Right
from broker.admin.scan import scan
from broker.admin.states import SessionState, state_of
from broker.core.sessions import Session
from broker.model.text import is_xml_text
from broker.net.http.routes import Cost
from broker.xmpp.session.sessions import StreamSessions

AT_ONCE = 32
"""Sessions that get it until others have their turn."""
MAX_TEXT = 10_000


class Tongue(StrEnum):
    """Kinds of clients."""

    NATIVE = "native"
    XMPP = "xmpp"


class Receivers(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who is to get it; those of them who are there.

    Args:
        kind: of the client; ``null`` for all.
        subject: login name, with ``*`` at the beginning or end for any text.
    """

    kind: Tongue | None = None
    subject: str = "*"


class Broadcast(Body, frozen=True):
    """A message for people.

    Args:
        text: of it.
        to: who gets it.
        dry_run: tell how many they are, and send nothing.
    """

    text: str
    to: Receivers = Receivers()
    dry_run: bool = False


class Sent(msgspec.Struct, frozen=True):
    """What was found and done.

    Args:
        matched: sessions of clients that are there.
        done: of these, those that were sent it; 0 of a dry run.
        failed: those whose queue has no room for it.
    """

    matched: int
    done: int
    failed: int


def broadcast_operations(desk: ChangeDesk) -> list[Operation]:
    """The operations.

    Args:
        desk: where they are made.
    """

    async def send(request: Request[Broadcast]) -> Sent:
        body, broker = request.body, broker_of(desk)
        if not 0 < len(body.text) <= MAX_TEXT:
            raise wrong_member("/text", f"it has 1 to {MAX_TEXT} characters")
        if not is_xml_text(body.text):
            raise wrong_member("/text", "it has characters that XML cannot write")
        found: list[Session] = []
        is_wanted = _predicate(body.to)

        def look(session: Session) -> None:
            if is_wanted(session):
                found.append(session)

        await scan(list(broker.node.sessions.values()), look, desk.instance.reactor)
        if body.dry_run:
            return Sent(len(found), 0, 0)
        done = 0
        for number, session in enumerate(found, 1):
            if isinstance(session.kind, StreamSessions):
                service = desk.instance.xmpp.current
                done += service is not None and service.send_headline(session, body.text)
            else:
                done += broker.control.send_text(request.asker, session, body.text)
            if number % AT_ONCE == 0:
                await deferLater(desk.instance.reactor, 0)
        return Sent(len(found), done, len(found) - done)

    return [
        change_operation(
            desk,
            "broadcast",
            "POST",
            "/broadcast",
            Right.ADMINISTRATOR,
            "Send a text to clients that are there: a headline to those of XMPP, a message to native ones.",
            "broadcast",
            Broadcast,
            Sent,
            send,
            cost=Cost.SCAN,
            target=lambda request: "sessions",
        )
    ]


def _subject(session: Session) -> str:
    return session.name.subject


def _predicate(to: Receivers) -> Predicate[Session]:
    try:
        names = by_pattern(_subject).read(to.subject)
    except ValueError as error:
        raise wrong_member("/to/subject", str(error)) from error
    kinds = {to.kind} if to.kind is not None else set(Tongue)
    return lambda session: session.kind.name in kinds and state_of(session) is SessionState.ATTACHED and names(session)
