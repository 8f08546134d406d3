"""What is changed of sessions and login names while they are there, by whoever may."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from broker.core.asker import Asker
from broker.errors import BrokerError, Code
from broker.model.address import SessionName
from broker.model.key import BROADCAST_OID, Key
from broker.model.qos import Destination, PublishQos
from broker.model.records import EPHEMERAL

if TYPE_CHECKING:
    from broker.core.registry import SessionRegistry
    from broker.core.rights import Rights
    from broker.core.sessions import Session
    from broker.core.subjects import Subject
    from broker.model.qos import QueueQos

DISCONNECTED = "an administrator disconnected the client"


class SessionControl:
    """Changes sessions and login names for administrators; of their own sessions all may stop and start the delivery.

    Every method takes who asks first, a session or somebody whom administration has let in, and raises
    ``user.notAuthorized`` where it may not.

    Args:
        registry: of the sessions.
        rights: decides who may.

    Attributes:
        on_blocked: called with each login name whose logins are refused from now on.
    """

    def __init__(self, registry: SessionRegistry, rights: Rights) -> None:
        self._registry = registry
        self._rights = rights
        self.on_blocked: list[Callable[[str], None]] = []

    def set_active(self, asking: Session | Asker, session: Session, active: bool) -> None:
        """Have a session's queue delivered, or held."""
        if isinstance(asking, Asker) or session.subject is not asking.subject:
            self._check(asking, session.name.absolute)
        session.dispatch.set_active(active, _name_of(asking))

    def set_timeout(self, asking: Session | Asker, session: Session, timeout: int) -> None:
        """Give a session another timeout, in milliseconds; ``<= 0`` never."""
        self._check(asking, session.name.absolute)
        self._registry.set_timeout(session, timeout)

    def limit_queue(self, asking: Session | Asker, session: Session, wanted: QueueQos) -> None:
        """Give the queue of a session other limits; see :meth:`SessionRegistry.set_queue_limits`."""
        self._check(asking, session.name.absolute)
        self._registry.set_queue_limits(session, wanted)

    def send_text(self, asking: Asker, session: Session, text: str) -> bool:
        """Send the client of a session a message of an administrator, which is gone when that cannot take it.

        Args:
            asking: who sends it, which the client is told.
            session: that gets it.
            text: for people.

        Returns:
            ``False`` where its queue has no room.
        """
        self._check(asking, session.name.absolute)
        if session.queue.is_full:
            return False
        node = self._registry.node
        qos = PublishQos(
            subscribable=False,
            life_time=0,
            destinations=(Destination(session.name.relative),),
            sender=SessionName(node.id, asking.sender).absolute,
        )
        message = node.message(node.envelope(Key(BROADCAST_OID), qos), text.encode())
        session.dispatch.put(message, EPHEMERAL, False)
        return True

    def set_accepts_wrong_sender(self, asking: Session | Asker, session: Session, accepts: bool) -> None:
        """Let a session publish in the name of others."""
        self._check(asking, session.name.absolute)
        session.accept_wrong_sender = accepts
        session.plans.clear()  # they hold the sender

    def block_session(self, asking: Session | Asker, session: Session, blocked: bool) -> None:
        """Refuse logins to a session."""
        self._check(asking, session.name.absolute)
        if blocked and not session.blocked:
            self._registry.node.events.of_session(session.name.subject, session.name.public_id, "blocked")
        session.blocked = blocked

    def disconnect(self, asking: Session | Asker, session: Session) -> None:
        """Close the connection of a session, which waits for its client."""
        self._check(asking, session.name.absolute)
        session.dispatch.detach(DISCONNECTED)

    def block(self, asking: Session | Asker, subject: Subject, blocked: bool) -> None:
        """Refuse logins of a login name, also after a restart, until they are let in again."""
        self._check(asking, subject.name)
        if blocked != subject.blocked:
            node = self._registry.node
            subject.blocked_at = node.now() if blocked else 0
            self._keep(subject)
            if blocked:
                for id in subject.sessions:
                    node.events.of_session(subject.name, id, "blocked")
            for listener in self.on_blocked if blocked else ():
                listener(subject.name)
        else:
            self._registry.node.release_subject(subject)

    def limit_sessions(self, asking: Session | Asker, subject: Subject, limit: int) -> None:
        """Limit the sessions of a login name, also after a restart.

        Args:
            asking: who asks.
            subject: the login name.
            limit: sessions that it may have; 0 for what the configuration says.
        """
        self._check(asking, subject.name)
        subject.is_limited = limit > 0
        subject.max_sessions = subject.session_limit = limit or self._registry.node.settings.max_sessions
        self._keep(subject)

    def _keep(self, subject: Subject) -> None:
        node = self._registry.node
        if subject.stored or subject.blocked or subject.is_limited:
            node.keep_limits(subject)
        node.release_subject(subject)

    def _check(self, asking: Session | Asker, target: str) -> None:
        if not self._rights.is_administrator(asking):
            raise BrokerError(Code.USER_NOT_AUTHORIZED, f"{_name_of(asking)} may not change {target}", target)


def _name_of(asking: Session | Asker) -> str:
    return asking.principal if isinstance(asking, Asker) else asking.name.relative
