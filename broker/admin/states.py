"""The states that sessions are told to be in."""

from __future__ import annotations

from enum import StrEnum

from broker.core.kinds import SessionKind
from broker.core.sessions import Session


class SessionState(StrEnum):
    """What a session is, as an administrator sees it."""

    ATTACHED = "attached"
    """A client takes deliveries."""
    WAITING = "waiting"
    """For its client to come back."""
    DETACHED = "detached"
    """A stream without a connection, which may be resumed."""
    PLACEHOLDER = "placeholder"
    """A message was forced to it, and nobody has logged in yet."""
    ENDING = "ending"
    """It is being ended."""


def state_of(session: Session) -> SessionState:
    """The state of a session."""
    if session.ended:
        return SessionState.ENDING
    return state_by(session.kind, placeholder=session.placeholder, attached=session.dispatch.outbound is not None)


def state_by(kind: SessionKind, *, placeholder: bool, attached: bool) -> SessionState:
    """The state of sessions that have not ended.

    Args:
        kind: of them.
        placeholder: nobody has logged in to them.
        attached: a client takes deliveries.
    """
    if placeholder:
        return SessionState.PLACEHOLDER
    if attached:
        return SessionState.ATTACHED
    return SessionState.WAITING if kind.clients_choose_number else SessionState.DETACHED
