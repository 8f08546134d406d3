"""Who may read and change what by administrative messages (spec xmlblaster §13.4, §22.3)."""

from __future__ import annotations

from broker.admin.address import Command, Kind
from broker.admin.node import PUBLIC
from broker.admin.options import ADMIN_USERS
from broker.admin.session import OWN
from broker.admin.topic import PRIVATE
from broker.core.broker import Broker
from broker.core.sessions import Session
from broker.errors import BrokerError, Code
from broker.model.address import SessionName

HARMLESS_PROPERTIES = frozenset({"user.home", "cluster.node.id"})
"""What stock clients ask for of the configuration, which may hold secrets."""


class Permissions:
    """Grants administrators everything, and others as little as stock clients need.

    Everybody may read what is their own, the public numbers of the node, and the numbers of topics that they may
    ``get``. What names other accounts or topics is for administrators, also where nobody is named as one. Everybody
    may stop and start the delivery to their own sessions.

    Args:
        broker: the core, whose settings name the administrators.
    """

    def __init__(self, broker: Broker) -> None:
        self._node = broker.node
        self._rights = broker.rights

    def is_administrator(self, session: Session) -> bool:
        """Whether a session belongs to an administrator."""
        return self._rights.is_administrator(session)

    def check_read(self, session: Session, command: Command) -> None:
        """Refuse to tell an attribute to who may not know it.

        Raises:
            BrokerError: ``user.security.authorization.notAuthorized``.
        """
        if not (
            self.is_administrator(session)
            or self._is_own(session, command)
            or (self._permits(session, "get", command.oid) and self._is_readable(session, command))
        ):
            raise self._refusal(session, command)

    def check_change(self, session: Session, command: Command) -> None:
        """Refuse a change to who may not make it.

        Raises:
            BrokerError: ``user.security.authorization.notAuthorized``.
        """
        own = command.kind is Kind.SESSION and command.attribute in OWN and self._is_own(session, command)
        if not own and not self.is_administrator(session):
            raise self._refusal(session, command)

    def check_entries(self, session: Session, command: Command, *, consumable: bool) -> None:
        """Refuse the messages of a queue to who may not have them; taking them out of a history is to erase them.

        Raises:
            BrokerError: ``user.security.authorization.notAuthorized``.
        """
        if self.is_administrator(session) or self._is_own(session, command):
            return
        methods = ("get", "erase") if consumable else ("get",)
        if command.kind is not Kind.TOPIC or not all(
            self._permits(session, method, command.name) for method in methods
        ):
            raise self._refusal(session, command)

    def check_administrator(self, session: Session, target: SessionName) -> None:
        """Refuse what is about another client's session.

        Raises:
            BrokerError: ``user.security.authorization.notAuthorized``.
        """
        if not self.is_administrator(session):
            raise BrokerError(
                Code.USER_NOT_AUTHORIZED,
                f"{session.name.subject} may not use {target.relative}: the property {ADMIN_USERS.name} names who may",
                target.absolute,
            )

    def _is_readable(self, session: Session, command: Command) -> bool:
        match command.kind:
            case Kind.NODE:
                return command.attribute in PUBLIC
            case Kind.TOPIC:
                return self._permits(session, "get", command.name) and command.attribute not in PRIVATE
            case Kind.PROPERTY:
                nobody_is_administrator = not self._node.settings.administrators
                return nobody_is_administrator and command.attribute in HARMLESS_PROPERTIES
        return False

    def _is_own(self, session: Session, command: Command) -> bool:
        if command.kind in (Kind.CLIENT, Kind.SESSION):
            return command.name == session.name.subject
        if command.kind is Kind.SUBSCRIPTION:
            subscription = self._node.subscriptions.get(command.name)
            return subscription is not None and subscription.session.subject is session.subject
        return False

    def _permits(self, session: Session, method: str, oid: str) -> bool:
        return self._rights.permits(session, method, f"exact:{oid}")

    def _refusal(self, session: Session, command: Command) -> BrokerError:
        return BrokerError(
            Code.USER_NOT_AUTHORIZED,
            f"{session.name.subject} may not use '{command.attribute[:64]}': the property {ADMIN_USERS.name} names who "
            "may",
            command.address(self._node.id),
        )
