"""What the broker knows of its clients and topics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zope.interface import Interface

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from broker.model.records import SessionRecord, SubjectRecord, SubscriptionRecord, TopicRecord


class IRecords(Interface):
    """Subjects, sessions, subscriptions and topics; all are read at once by :meth:`IJournal.recover`."""

    def put_subject(record: SubjectRecord) -> None:
        """Insert or replace."""

    def delete_subject(id: int) -> None:
        """Delete; entries of its queue must be settled or moved first."""

    def put_session(record: SessionRecord) -> None:
        """Insert or replace by id."""

    def delete_session(id: int) -> None:
        """Delete the session and its subscriptions; entries of its queue must be settled or moved first."""

    def put_subscription(record: SubscriptionRecord) -> None:
        """Insert or replace by id."""

    def delete_subscription(id: str) -> None:
        """Delete."""

    def put_topic(record: TopicRecord) -> None:
        """Insert or replace by id."""

    def delete_topic(id: int) -> None:
        """Delete; entries of its history must be settled first."""

    def count_rows() -> Deferred[dict[str, int]]:
        """Count the rows of each table, by its name; waits while the database fails."""

    def put_handled(session_id: int, handled: int) -> None:
        """Note how many stanzas of a session's client are handled; deleted with the session (design D9)."""
