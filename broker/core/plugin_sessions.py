"""Sessions of plugins: principals of what these ask the core for, without a client and without a login."""

from __future__ import annotations

from broker.core.delivery import Delivery
from broker.core.dispatch import Dispatch
from broker.core.kinds import SessionKind
from broker.core.sessions import Session
from broker.errors import BrokerError
from broker.model.address import SessionName
from broker.model.connect import ConnectQos, SessionQos
from broker.model.records import SessionRecord

_QOS = ConnectQos(session=SessionQos(timeout=0))


class PluginSessions(SessionKind):
    """Makes the sessions of plugins, which end with the broker's run.

    Args:
        registry: of all sessions.
    """

    name = "plugin"
    has_client = False
    of_account = False

    def of(self, login: str) -> Session:
        """The session of a login name; made where there is none yet.

        Args:
            login: name that the plugin acts under; the method rules of such an account apply to it.

        Raises:
            BrokerError: ``user.illegalArgument`` where it is no login name.
        """
        registry = self._registry
        subject = registry.node.subjects.get(login)
        for session in subject.sessions.values() if subject is not None else ():
            if session.kind is self:
                return session
        registry.check_subject_name(login)
        return registry.make(SessionName(registry.node.id, login, registry.node.next_public_id()), _QOS, self)

    def make_dispatch(self, session: Session, active: bool) -> Dispatch:
        """Updates go to what the plugin attaches."""
        registry = self._registry

        def undeliverable(error: BrokerError) -> None:
            registry.end_later(session, error)

        return Dispatch(
            registry.node,
            session.queue,
            session.name.relative,
            Delivery(ping_interval=0),
            active,
            lambda entries, error: registry.letters.entries(entries, session.name.absolute, error),
            lambda: registry.state_changed(session),
            undeliverable,
            session.counters,
        )

    def can_receive(self, session: Session) -> bool:
        """Only where the plugin has attached something."""
        return session.dispatch.outbound is not None

    def takes_subject_messages(self, session: Session) -> bool:
        """Messages to the login name are for its clients."""
        return False

    def state(self, session: Session) -> bytes:
        """Nothing is kept."""
        return b""

    def recover(self, record: SessionRecord, handled: int) -> Session | None:
        """It ended with the run of the broker that it was made in."""
        return None
