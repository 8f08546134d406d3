"""Sessions and subjects that a message was forced to before anybody logged in to them (spec xmlblaster §9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from broker.errors import BrokerError, Code
from broker.model.address import SessionName
from broker.model.connect import ConnectQos, SessionQos

if TYPE_CHECKING:
    from broker.core.quotas import Usage
    from broker.core.registry import SessionRegistry
    from broker.core.sessions import Session
    from broker.core.subjects import Subject


class Placeholders:
    """Makes and forgets them.

    Args:
        registry: of all sessions; its ``named_kind`` is the kind of the sessions that are made.
    """

    def __init__(self, registry: SessionRegistry) -> None:
        self._registry = registry
        self._node = registry.node

    def subject(self, name: SessionName, usage: Usage) -> Subject:
        """Make the subject that a message is forced to.

        Args:
            name: of the subject.
            usage: of the account whose message it is.

        Raises:
            BrokerError: ``user.illegalArgument`` for no login name, ``resource.exhaust`` where the messages of the
                account have made as many as they may.
        """
        self._registry.check_subject_name(name.subject)
        usage.check_forced()
        subject = self._node.subject(name.subject)
        subject.forced.begin(usage)
        subject.queue.charge(usage)
        return subject

    def session(self, name: SessionName, usage: Usage) -> Session:
        """Make a session without credentials for a message that is forced to it.

        Args:
            name: of the session.
            usage: of the account whose message it is.

        Raises:
            BrokerError: ``user.ptp.unknownDestination`` where no client can log in to a session of this name,
                ``resource.exhaust`` where the messages of the account have made as many as they may.
        """
        kind = self._registry.named_kind
        if name.public_id < 0 or kind is None:
            raise BrokerError(
                Code.USER_PTP_UNKNOWN_DESTINATION, f"{name.relative} is gone and cannot come back", name.absolute
            )
        usage.check_forced()
        timeout = self._node.settings.ptp_session_timeout
        qos = ConnectQos(session=SessionQos(name=name.relative, timeout=timeout))
        session = self._registry.make(name, qos, kind, placeholder=True)
        session.forced.begin(usage)
        session.queue.charge(usage)
        return session

    def forget(self, name: SessionName) -> None:
        """Forget a session or subject that exists for a message only, if there is none (any more)."""
        subject = self._node.subjects.get(name.subject)
        if subject is None:
            return
        session = subject.sessions.get(name.public_id) if name.is_session else None
        if session is not None and session.placeholder and not len(session.queue):
            self._registry.unmake(session)
        self._node.release_subject(subject)
