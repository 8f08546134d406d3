"""What is changed of sessions and login names while they are there, by whoever may."""

from __future__ import annotations

from typing import TYPE_CHECKING

from broker.errors import BrokerError, Code

if TYPE_CHECKING:
    from broker.core.registry import SessionRegistry
    from broker.core.rights import Rights
    from broker.core.sessions import Session
    from broker.core.subjects import Subject

DISCONNECTED = "an administrator disconnected the client"


class SessionControl:
    """Changes sessions and login names for administrators; of their own sessions all may stop and start the delivery.

    Every method takes the session that asks first, and raises ``user.notAuthorized`` where it may not.

    Args:
        registry: of the sessions.
        rights: decides who may.
    """

    def __init__(self, registry: SessionRegistry, rights: Rights) -> None:
        self._registry = registry
        self._rights = rights

    def set_active(self, asking: Session, session: Session, active: bool) -> None:
        """Have a session's queue delivered, or held."""
        if session.subject is not asking.subject:
            self._check(asking, session.name.absolute)
        session.dispatch.set_active(active, asking.name.relative)

    def set_timeout(self, asking: Session, session: Session, timeout: int) -> None:
        """Give a session another timeout, in milliseconds; ``<= 0`` never."""
        self._check(asking, session.name.absolute)
        self._registry.set_timeout(session, timeout)

    def set_accepts_wrong_sender(self, asking: Session, session: Session, accepts: bool) -> None:
        """Let a session publish in the name of others."""
        self._check(asking, session.name.absolute)
        session.accept_wrong_sender = accepts
        session.plans.clear()  # they hold the sender

    def block_session(self, asking: Session, session: Session, blocked: bool) -> None:
        """Refuse logins to a session."""
        self._check(asking, session.name.absolute)
        session.blocked = blocked

    def disconnect(self, asking: Session, session: Session) -> None:
        """Close the connection of a session, which waits for its client."""
        self._check(asking, session.name.absolute)
        session.dispatch.detach(DISCONNECTED)

    def block(self, asking: Session, subject: Subject, blocked: bool) -> None:
        """Refuse logins of a login name."""
        self._check(asking, subject.name)
        subject.blocked = blocked
        self._registry.node.release_subject(subject)

    def limit_sessions(self, asking: Session, subject: Subject, limit: int) -> None:
        """Limit the sessions of a login name."""
        self._check(asking, subject.name)
        subject.max_sessions = subject.session_limit = limit

    def _check(self, asking: Session, target: str) -> None:
        if not self._rights.is_administrator(asking):
            raise BrokerError(Code.USER_NOT_AUTHORIZED, f"{asking.name.subject} may not change {target}", target)
