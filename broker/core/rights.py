"""Who may have which effect: the one place where that is decided, whatever the tongue (design D16)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from broker.core.asker import Asker
from broker.errors import BrokerError, Code
from broker.logs.audit import audit
from broker.model.key import is_system_topic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from broker.core.message import Message
    from broker.core.node import Node
    from broker.core.sessions import Session
    from broker.core.topics import Topic

_OF_GUESTS = frozenset({"get"})
"""Methods of topics that change nothing, which clients without an account may call, too."""
_OF_EVERYBODY = frozenset({"unSubscribe"})
"""Methods that tell nothing of a topic and change nothing of it, which everybody may call on the broker's own."""
_EXACT = "exact:"
ADMINISTRATOR = "administrator"
"""The role of accounts that own everything."""


class Rights:
    """Decides by the authorizer, by who owns a topic, and by who is an administrator.

    Args:
        node: shared state.
        authorizer: an :class:`broker.ports.IAuthorizer`.

    Attributes:
        blocks: ``blocks(receiver, sender)`` tells whether a login name wants no messages of another. What tongue keeps
            such lists sets it, and calls :meth:`broker.core.broker.Broker.rights_changed` when they change.
    """

    def __init__(self, node: Node, authorizer: Any) -> None:
        self._node = node
        self._authorizer = authorizer
        self.blocks: Callable[[str, str], bool] = lambda receiver, sender: False

    def is_administrator(self, asking: Session | Asker) -> bool:
        """Whether a session belongs to an administrator; who asks by administration was let in there."""
        if isinstance(asking, Asker):
            return True
        return self._owns_everything(asking.name.subject)

    def check_reach(self, name: str, oid: str) -> None:
        """Refuse a topic that is for administrators only to another login name.

        Raises:
            BrokerError: ``user.notAuthorized``.
        """
        if is_system_topic(oid) and not self._owns_everything(name):
            raise BrokerError(Code.USER_NOT_AUTHORIZED, f"topic '{oid}' is for administrators", f"/topic/{oid}")

    def _owns_everything(self, name: str) -> bool:
        return name in self._node.settings.administrators or self._node.roles.get(name) == ADMINISTRATOR

    def permits(self, session: Session, method: str, target: str) -> bool:
        """Whether a session's login name may call a method on a target, as the method rules of its account say."""
        if session.subject.guest and method not in _OF_GUESTS:
            return False
        if method not in _OF_EVERYBODY and not self.reaches(session, target.removeprefix(_EXACT)):
            return False
        return bool(self._authorizer.permits(session.name.subject, method, target))

    def reaches(self, session: Session, oid: str) -> bool:
        """Whether a session's login name may know what is on a topic, or change it, method rules aside.

        The broker's own topics (``__sys__…``) hold the messages of others, such as dead ones, and are for
        administrators.
        """
        return not is_system_topic(oid) or self.is_administrator(session)

    def check(self, session: Session, method: str, target: str) -> None:
        """Refuse a method.

        Args:
            session: who asks.
            method: ``get``, ``erase``, ``subscribe`` …
            target: see :meth:`broker.ports.IAuthorizer.permits`.

        Raises:
            BrokerError: ``user.notAuthorized``.
        """
        if not self.permits(session, method, target):
            raise BrokerError(Code.USER_NOT_AUTHORIZED, f"{session.name.subject} may not {method} '{target}'", target)

    def may_publish(self, session: Session, oid: str, *, on_topic: bool) -> bool:
        """Whether a session may publish; a client without an account may send to others, and not on topics.

        Args:
            session: who asks.
            oid: of the message, be it published on a topic or sent from point to point.
            on_topic: whether it is published on the topic.
        """
        if (session.subject.guest and on_topic) or not self.reaches(session, oid):
            return False
        return bool(self._authorizer.permits(session.name.subject, "publish", f"{_EXACT}{oid}"))

    def check_publish(self, session: Session, oid: str, *, on_topic: bool) -> None:
        """Refuse to publish where :meth:`may_publish` says so; arguments as there.

        Raises:
            BrokerError: ``user.notAuthorized``.
        """
        if not self.may_publish(session, oid, on_topic=on_topic):
            raise BrokerError(Code.USER_NOT_AUTHORIZED, f"{session.name.subject} may not publish on '{oid}'", oid)

    def is_welcome(self, sender: Session, receiver: str) -> bool:
        """Whether a login name takes messages from a sender; blocked senders learn as little as of nobody."""
        return not self.blocks(receiver, sender.name.subject)

    def check_owner(self, session: Session, topic: Topic) -> None:
        """Refuse to configure, empty or erase a topic that belongs to somebody else, or to the broker itself.

        An administrator may, and leaves a line in the audit.

        Raises:
            BrokerError: ``user.notAuthorized``.
        """
        if topic.owner in ("", session.name.subject) and not is_system_topic(topic.oid):
            return
        if not self.is_administrator(session):
            raise BrokerError(
                Code.USER_NOT_AUTHORIZED, f"topic '{topic.oid}' belongs to somebody else", f"/topic/{topic.oid}"
            )
        self._audit(session, topic, "topic.administer")

    def check_items(self, session: Session, topic: Topic, items: Iterable[Message]) -> int:
        """Refuse to replace or retract items of somebody else, but for the owner of their topic and administrators.

        Returns:
            Of how many items only an administrator may do so; :meth:`note_items` is told of them once it is done.

        Raises:
            BrokerError: ``user.notAuthorized``.
        """
        name = session.name.subject
        if topic.owner == name:
            return 0
        others = sum(self._node.session_name(each.qos.sender).subject != name for each in items)
        if others and not self.is_administrator(session):
            raise BrokerError(
                Code.USER_NOT_AUTHORIZED,
                f"an item of topic '{topic.oid}' belongs to somebody else",
                f"/topic/{topic.oid}",
            )
        return others

    def note_items(self, session: Session, topic: Topic, others: int) -> None:
        """Leave a line in the audit where an administrator has replaced or retracted items of somebody else."""
        if others:
            self._audit(session, topic, "item.administer", items=others)

    def _audit(self, session: Session, topic: Topic, action: str, **more: object) -> None:
        fields = {
            "principal": session.name.subject,
            "via": session.kind.name,
            "session": session.name.relative,
            "target": f"topic/{topic.oid}",
            "owner": topic.owner,
        }
        audit(action, fields | more)
