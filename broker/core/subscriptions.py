"""Subscriptions (spec xmlblaster §2.4, §3.2, §4.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from broker.core.codec import TopicQuery
from broker.core.topic_search import selects
from broker.model.key import QueryKey, QueryKind
from broker.model.property import is_set
from broker.model.qos import QueryQos
from broker.model.records import NEWEST_ONLY, NO_CONTENT, NO_META, ONEWAY, EntryRecord

if TYPE_CHECKING:
    from broker.core.entries import Entry
    from broker.core.message import Message
    from broker.core.sessions import Session
    from broker.core.topics import Topic
    from broker.filters.candidate import Candidate, Predicate


class Subscription:
    """A session's interest in topics.

    Args:
        id: ``__subId:…``, unique within the node.
        session: that receives.
        key: the query.
        qos: the options.
        accepts: the access filters, or ``None`` where every message passes.
        created: when it was made, milliseconds since the epoch.
        query: the compiled XPath of the key, ``None`` for other keys.

    Attributes:
        flags: of the entries that it causes.
        topics: that it receives from now.
        newest: where only the newest message is wanted (:data:`NEWEST_ONLY`), its id by the topic's oid.
        ended: whether it gets nothing more, also where topics still have it.
        held: messages that wait until its initial update is queued; ``None`` when it is.
        persistent: whether it is in the store.
    """

    __slots__ = (
        "_gone",
        "_waiting",
        "accepts",
        "created",
        "ended",
        "flags",
        "held",
        "id",
        "key",
        "local",
        "newest",
        "notify",
        "persistent",
        "qos",
        "query",
        "session",
        "topics",
    )

    def __init__(
        self,
        id: str,
        session: Session,
        key: QueryKey,
        qos: QueryQos,
        accepts: Predicate | None,
        created: int,
        query: TopicQuery | None,
    ) -> None:
        self.id = id
        self.session = session
        self.key = key
        self.qos = qos
        self.accepts = accepts
        self.created = created
        self.local = qos.local
        self.notify = qos.notify
        self.query = query
        self.topics: set[Topic] = set()
        self.newest: dict[str, int] = {}
        self.held: list[Message] | None = None
        self.ended = False
        self._waiting: dict[str, EntryRecord] = {}
        self._gone: set[int] | None = None  # of these, by their numbers: settled on disk
        self.persistent = False
        self.flags = (
            (ONEWAY if qos.update_oneway else 0)
            | (0 if qos.content else NO_CONTENT)
            | (0 if qos.meta else NO_META)
            | (NEWEST_ONLY if is_set(qos.properties, "__newestOnly") else 0)
        )

    @property
    def is_rule(self) -> bool:
        """Whether it also matches topics that come later (XPATH, DOMAIN)."""
        return self.key.kind is not QueryKind.EXACT

    def end(self) -> None:
        """It selects no message any more, also on topics that still have it."""
        self.ended = True
        self.accepts = _nothing

    def supersede(self, entry: Entry) -> None:
        """Settle the entry before this one on the same topic, where it still waits (:data:`NEWEST_ONLY`).

        So that after a crash, too, only the newest is there.

        Args:
            entry: that is queued now.
        """
        message = entry.message
        queue = self.session.queue
        row = EntryRecord(queue.id, entry.rank, entry.seq, message.id, self.id, entry.flags, 0, entry.size)
        before = self.remember(message.oid, row)
        if before is not None:
            queue.drop(before)
            self.dropped(before.seq)

    def remember(self, oid: str, row: EntryRecord) -> EntryRecord | None:
        """Know the newest entry on a topic (:data:`NEWEST_ONLY`).

        Args:
            oid: of the topic.
            row: of the entry.

        Returns:
            The entry that is superseded now.
        """
        before = self._waiting.get(oid)
        if before is not None and before.message_id > row.message_id:
            return row
        self._waiting[oid] = row
        self.newest[oid] = row.message_id
        if before is not None and self._gone is not None and before.seq in self._gone:
            self._gone.remove(before.seq)
            return None
        return before

    def left_disk(self, seq: int) -> None:
        """An entry is settled that was on disk only, where a queue knows no more than how many there are.

        Args:
            seq: of the entry.
        """
        if self._gone is None:
            self._gone = set()
        self._gone.add(seq)

    def dropped(self, seq: int) -> None:
        """An entry is settled because it is superseded, and remembered no more.

        Args:
            seq: of the entry.
        """
        if self._gone is not None:
            self._gone.discard(seq)

    def forget(self, oid: str) -> None:
        """A topic is gone."""
        row = self._waiting.pop(oid, None)
        if row is not None:
            self.dropped(row.seq)
        self.newest.pop(oid, None)

    def selects(self, topic: Topic) -> bool:
        """Whether the query of a rule matches a topic; see :func:`broker.core.topic_search.selects`."""
        return selects(self.key, self.query, topic)


def _nothing(candidate: Candidate) -> bool:
    return False
