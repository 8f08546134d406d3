"""A subject: a login name, its sessions and the messages that wait for any of them (spec xmlblaster §6, §9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred

from broker.core.counters import Counters
from broker.core.queues import Queue
from broker.core.quotas import Forced, Usage
from broker.model.records import SubjectRecord

if TYPE_CHECKING:
    from broker.core.sessions import Session


class Subject:
    """A login name.

    Args:
        id: unique within the node; also of its queue.
        name: the login name.
        queue: messages to the subject that no session takes.
        created: milliseconds since 1970.
        max_sessions: that it may have; the broker's own limit, until an administrator sets another.
        usage: of its account.

    Attributes:
        max_sessions: that its clients want it to have, never more than ``session_limit``.
        session_limit: see above.
        forced: whose message made it, while nobody has logged in.
        sessions: by public id.
        ending: fires when a session that is being ended is gone, by public id.
        stored: whether its record is in the store.
        blocked_at: since when an administrator refuses its logins, milliseconds since 1970; 0 where that is not so.
        is_limited: an administrator has set ``session_limit``.
        past: what sessions that have ended did.
        guest: it has no account, so it may send and receive, and nothing is kept for it.
    """

    __slots__ = (
        "blocked_at",
        "created",
        "ending",
        "forced",
        "guest",
        "id",
        "is_limited",
        "max_sessions",
        "name",
        "past",
        "queue",
        "session_limit",
        "sessions",
        "stored",
        "usage",
    )

    def __init__(self, id: int, name: str, queue: Queue, created: int, max_sessions: int, usage: Usage) -> None:
        self.id = id
        self.name = name
        self.queue = queue
        self.usage = usage
        self.forced = Forced()
        self.created = created
        self.max_sessions = self.session_limit = max_sessions
        self.sessions: dict[int, Session] = {}
        self.ending: dict[int, list[Deferred[None]]] = {}
        self.stored = False
        self.blocked_at = 0
        self.is_limited = False
        self.guest = False
        self.past = Counters()

    @property
    def blocked(self) -> bool:
        """Whether an administrator refuses its logins."""
        return self.blocked_at > 0

    @property
    def record(self) -> SubjectRecord:
        """As it is in the store."""
        return SubjectRecord(self.id, self.name, self.blocked_at, self.session_limit if self.is_limited else 0)

    def count(self, *, placeholders: bool) -> int:
        """How many sessions of clients it has.

        Args:
            placeholders: count those, too, that messages were forced to and nobody has logged in to.
        """
        return sum(
            session.kind.has_client and (placeholders or not session.placeholder) for session in self.sessions.values()
        )

    def has_room(self, most: int, *, placeholders: bool) -> bool:
        """Whether it may have one more session of a client; they are counted only where there may be too many.

        Args:
            most: that it may have; 0 or less for any number.
            placeholders: as for :meth:`count`.
        """
        return most <= 0 or len(self.sessions) < most or self.count(placeholders=placeholders) < most

    def total(self, *names: str) -> int:
        """What all its sessions did, also those that have ended; see :meth:`broker.core.node.Node.total`."""
        return self.past.total((session.counters for session in self.sessions.values()), names)

    @property
    def clients(self) -> list[Session]:
        """The sessions that clients have or had."""
        return [session for session in self.sessions.values() if session.kind.has_client]

    @property
    def receivers(self) -> list[Session]:
        """The sessions that messages to the subject are delivered to."""
        return [session for session in self.sessions.values() if session.takes_subject_messages]

    def taken_over(self) -> None:
        """A client logs in: what a message made of it before counts for its own account from now on."""
        self.forced.end()
        self.queue.charge(self.usage)
