"""What the sessions of one kind of client do differently from others; each tongue brings its own kind."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from broker.core.counters import Traffic
from broker.errors import BrokerError, Code

if TYPE_CHECKING:
    from broker.core.dispatch import Dispatch
    from broker.core.entries import Entry
    from broker.core.registry import SessionRegistry
    from broker.core.sessions import Session
    from broker.model.records import SessionRecord


class SessionKind(ABC):
    """One kind of sessions; :attr:`broker.core.registry.SessionRegistry.kinds` has all of them.

    Args:
        registry: of all sessions, which knows the kind from now on.

    Attributes:
        name: of the kind, in stored records.
        has_client: whether its sessions belong to clients; else they are not counted as sessions of their subject.
        marks_redelivery: whether what may have been delivered before a crash is marked as repeated when it is delivered
            again. A kind whose deliveries are numbered knows what was delivered and needs no marks.
        told_of_items: whether its subscriptions are told when items of their topics are gone.
        clients_choose_number: whether a client may choose the public id of its session, and so find it again.
        of_account: whether its sessions are those of the account of their login name, and end with it.
        knows_nodes: whether its clients can tell a notification of a pub/sub node from a message on a topic.
        traffic: of all its sessions.
    """

    name: ClassVar[str]
    has_client: ClassVar[bool] = True
    marks_redelivery: ClassVar[bool] = False
    of_account: ClassVar[bool] = True
    knows_nodes: ClassVar[bool] = False
    told_of_items: ClassVar[bool] = False
    clients_choose_number: ClassVar[bool] = False

    def __init__(self, registry: SessionRegistry) -> None:
        self.traffic = Traffic(registry.node.seconds)
        self._registry = registry
        registry.add_kind(self)

    @abstractmethod
    def make_dispatch(self, session: Session, active: bool) -> Dispatch:
        """Make what delivers a session's queue; ``active`` is whether it delivers from the beginning."""

    @abstractmethod
    def state(self, session: Session) -> bytes:
        """What the session's record keeps of it."""

    @abstractmethod
    def recover(self, record: SessionRecord, handled: int) -> Session | None:
        """Stand a session up from the store; ``None`` where it cannot come back.

        Args:
            record: of the session.
            handled: how many stanzas of its client were handled (design D9).

        Raises:
            BrokerError: the record cannot be read.
        """

    def definition(self, session: Session) -> bytes | None:
        """What makes the same session in another broker, without secrets; ``None`` where it has no use there."""
        return None

    def check_definition(self, public_id: int, state: bytes) -> None:
        """Refuse what :meth:`recover` could not make a persistent session of.

        Args:
            public_id: of the session; 0 where the broker chooses one.
            state: as of :meth:`definition`.

        Raises:
            BrokerError: ``user.illegalArgument``.
        """
        raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, f"sessions of the kind '{self.name}' are not defined")

    def can_receive(self, session: Session) -> bool:
        """Whether anything can be delivered to the session's client at all."""
        return True

    def takes_subject_messages(self, session: Session) -> bool:
        """Whether messages to the subject are delivered to this session."""
        return True

    def why_no_subject_messages(self, session: Session) -> str:
        """Why :meth:`takes_subject_messages` says no, for people; empty where it does not."""
        return ""

    def label(self, session: Session) -> str:
        """What tells a session from the others of its login name, where its kind has a name for it; else empty.

        Subscriptions of the login name may be for the session with this label alone (:mod:`broker.core.standing`).
        """
        return ""

    def password_changed(self, session: Session) -> None:  # noqa: B027 - most have no connection that was logged in
        """The account of a session has another password: its client must log in anew."""

    def ending(self, session: Session) -> None:  # noqa: B027 - most kinds have nothing to do then
        """A session begins to end; nothing of it is let go of yet."""

    def undelivered(self, session: Session, entries: Sequence[Entry]) -> None:  # noqa: B027 - as above
        """A session has ended with entries that are of no use to anybody else; they are settled already."""
