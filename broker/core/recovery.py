"""Standing up again after a stop or a crash (design D2, D12, D18; spec xmlblaster §7, §8.1)."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from twisted.logger import Logger

from broker.core.cached_entries import LOAD_BATCH
from broker.core.codec import Codec, Encoded
from broker.core.entries import Fanout, QueueLimits
from broker.core.ids import floor_of
from broker.core.queues import Queue
from broker.core.set_aside import KEPT
from broker.errors import BrokerError, Code
from broker.model.key import Key
from broker.model.qos import TopicQos
from broker.model.records import (
    NEWEST_ONLY,
    EntryRecord,
    QueueDepth,
    Recovered,
    SessionRecord,
    SubjectRecord,
    SubscriptionRecord,
    TopicRecord,
)
from broker.timers import cancel

if TYPE_CHECKING:
    from broker.core.erasure import Erasure
    from broker.core.node import Node
    from broker.core.placeholders import Placeholders
    from broker.core.querying import Querying
    from broker.core.registry import SessionRegistry
    from broker.core.sessions import Session
    from broker.core.subscriptions import Subscription

log = Logger()


class _Read(NamedTuple):
    """A topic's record that can be read."""

    record: TopicRecord
    key: Key | None
    config: TopicQos | None


class Recovery:
    """Rebuilds the node from what the store has; no message is read.

    A record that cannot be read, or contradicts a newer one, is set aside (:class:`broker.core.set_aside.SetAside`),
    with what depends on it; everything else stands up. Only failures of the store itself are raised.

    Args:
        node: shared state; empty.
        sessions: stands up sessions.
        placeholders: forgets those that nothing is left for.
        querying: stands up subscriptions.
        erasure: of what waits in queues.

    Attributes:
        seconds: that it has taken.
        entries: messages in queues and histories that it has found.
    """

    def __init__(
        self,
        node: Node,
        sessions: SessionRegistry,
        placeholders: Placeholders,
        querying: Querying,
        erasure: Erasure,
    ) -> None:
        self._node = node
        self._sessions = sessions
        self._placeholders = placeholders
        self._querying = querying
        self._erasure = erasure
        self._aside = node.set_aside
        self._found: Recovered | None = None
        self.seconds = 0.0
        self.entries = 0

    async def topics(self) -> None:
        """Read the store and stand up the topics (run level 2).

        Raises:
            BrokerError: ``resource.db.*`` where the database fails.
        """
        node, began = self._node, self._node.monotonic()
        found = self._found = await node.store.recover()
        for row in found.unreadable:
            self._aside.add(row)
        node.raise_floor(max(found.last_id, floor_of(found.heartbeat)))
        await self._erasure.recover()
        node.last_heartbeat = found.heartbeat
        attempt, codec = self._aside.attempt, node.codec
        readable = [attempt("topic", _name(each.id, each.oid), _read_topic, each, codec) for each in found.topics]
        newest = {each.record.oid: each.record.id for each in readable if each is not None}
        for read in readable:
            if read is not None:
                name = _name(read.record.id, read.record.oid)
                self._aside.attempt("topic", name, self._topic, read, newest[read.record.oid])
        by_id = {topic.id: topic for topic in node.topics.values()}
        for depth in found.depths:
            published = by_id.get(depth.queue_id)
            if published is not None:
                published.history.restore(depth.entries)
                published.used = True
        self.entries = sum(depth.entries for depth in found.depths)
        self.seconds += node.monotonic() - began

    async def sessions(self) -> None:
        """Stand up subjects, sessions, subscriptions and their queues (the session persistence plugin)."""
        found, self._found = self._found, None
        if found is None:
            return
        node, began = self._node, self._node.monotonic()
        for subject in found.subjects:
            self._aside.attempt("subject", _name(subject.id, subject.name), self._subject, subject)
        by_id: dict[int, Session] = {}
        moved: dict[int, int] = {}
        gone: set[int] = set()
        newest = {(each.subject, each.public_id): each.id for each in found.sessions}
        uncounted = {each.key for each in found.unreadable if each.kind == "handled"}
        for record in found.sessions:
            name = _name(record.id, f"{record.subject}/{record.public_id}")
            is_newest = newest[record.subject, record.public_id] == record.id
            handled = None if str(record.id) in uncounted else found.handled.get(record.id, 0)
            stands = self._aside.attempt("session", name, self._session, record, by_id, is_newest, handled)
            if stands is None:
                self._forget(record)
            elif not stands:
                gone.add(record.id)
            if not stands:
                target = self._aside.attempt("session", name, self._give_back, record)
                if target is not None:
                    moved[record.id] = target
        for id in gone:
            node.store.delete_session(id)
        for subscription in found.subscriptions:
            if subscription.session_id in gone:
                node.store.delete_subscription(subscription.id)
            elif not self._aside.attempt("subscription", subscription.id, self._subscription, subscription, by_id):
                self._aside.attempt("subscription", subscription.id, self._keep_subscription, subscription)
        for depth in found.depths:
            self._aside.attempt("queue", str(depth.queue_id), self._queue, depth, moved, by_id)
        for session in by_id.values():
            newest_only = {each.id: each for each in session.subscriptions.values() if each.flags & NEWEST_ONLY}
            if newest_only:
                ranks = [depth.rank for depth in found.depths if depth.queue_id == session.id]
                await self._keep_newest(session, newest_only, ranks)
        self._restore_fanouts(found.copies, by_id)
        for session in by_id.values():
            # It was in the store only for messages that its client has taken meanwhile.
            if session.placeholder and not len(session.queue):
                self._placeholders.forget(session.name)
        for topic in list(node.topics.values()):
            node.check_topic(topic)
        for standing in list(node.subjects.values()):
            node.release_subject(standing)
        self.seconds += node.monotonic() - began
        log.info(
            "recovered {sessions} sessions, {subscriptions} subscriptions, {topics} topics, {entries} queued messages",
            sessions=len(by_id),
            subscriptions=len(node.subscriptions),
            topics=len(node.topics),
            entries=self.entries,
        )
        if self._aside.count:
            log.error("{count} records of the store are set aside; __cmd:?setAside lists them", count=self._aside.count)

    def _topic(self, read: _Read, newest: int) -> None:
        record, key, config = read
        # An older one was set aside while this broker, or another, could not read it, and it was made anew.
        if record.id != newest:
            raise _contradiction(f"topic {newest} has its oid")
        node = self._node
        topic = node.make_topic(record.id, record.oid)
        topic.stored = True
        topic.owner = record.owner
        if record.creator:
            topic.charge(node.quotas.of(record.creator))
        if key is not None:
            limits: QueueLimits = node.default_history(record.oid)
            topic.configure(key, Encoded(record.key, record.qos), config, limits)

    def _subject(self, record: SubjectRecord) -> None:
        node = self._node
        known = node.subjects.get(record.name)
        if known is not None:
            raise _contradiction(f"subject {known.id} has its name")
        subject = node.subject(record.name)
        node.queues.pop(subject.id, None)
        subject.id = subject.queue.id = record.id
        subject.stored = True
        subject.blocked_at = record.blocked
        if record.max_sessions:
            subject.is_limited = True
            subject.max_sessions = subject.session_limit = record.max_sessions
        node.queues[subject.id] = subject.queue

    def _session(self, record: SessionRecord, by_id: dict[int, Session], is_newest: bool, handled: int | None) -> bool:
        """Stand up a session; tells whether it can come back."""
        # An older one was set aside while this broker, or another, could not read it, and its client came anew.
        if not is_newest:
            raise _contradiction("a newer session has its name")
        if record.secret_id in self._node.sessions:
            raise _contradiction("another session has its secret id")
        if handled is None:  # resumed from 0, its client would send again what was handled
            raise _contradiction("how many stanzas of its client were handled cannot be read")
        session = self._sessions.recover(record, handled)
        if session is not None:
            by_id[record.id] = session
        return session is not None

    def _forget(self, record: SessionRecord) -> None:
        """Let go of what a session that is set aside has left in memory; its record stays."""
        node = self._node
        session = node.sessions.get(record.secret_id)
        if session is None or session.id != record.id:
            return
        session.ended = True
        cancel(session.timer)
        session.timer = None
        if session.persistent:
            node.stored_sessions -= 1
        del node.sessions[record.secret_id]
        session.subject.sessions.pop(session.name.public_id, None)
        node.queues.pop(session.id, None)

    def _subscription(self, record: SubscriptionRecord, sessions: dict[int, Session]) -> bool:
        owner = sessions.get(record.session_id)
        if owner is None:
            raise _contradiction(f"its session {record.session_id} is not there")
        id = record.id.removeprefix(KEPT)
        if id in self._node.subscriptions:
            raise _contradiction("another subscription has its id")
        self._querying.recover(record._replace(id=id), owner)
        if id != record.id:
            self._node.store.put_subscription(record._replace(id=id))
            self._node.store.delete_subscription(record.id)
        return True

    def _keep_subscription(self, record: SubscriptionRecord) -> None:
        """Keep a record that is set aside where no other one is written to: its client may choose its id again."""
        if record.id.startswith(KEPT):
            return
        store = self._node.store
        store.put_subscription(record._replace(id=KEPT + record.id))
        store.delete_subscription(record.id)

    def _queue(self, depth: QueueDepth, moved: dict[int, int], sessions: dict[int, Session]) -> None:
        queue = self._node.queues.get(moved.get(depth.queue_id, depth.queue_id))
        if queue is None:
            raise _contradiction(f"whose {depth.entries} messages they are is not there")
        if isinstance(queue, Queue):
            owner = sessions.get(depth.queue_id)
            queue.restore(depth.rank, depth.entries, depth.bytes, _doubtful(owner, depth.entries))

    def _restore_fanouts(self, copies: list[EntryRecord], sessions: dict[int, Session]) -> None:
        messages: dict[tuple[int, int], list[EntryRecord]] = defaultdict(list)
        for row in copies:
            owner = sessions.get(row.queue_id)
            if owner is not None:
                messages[owner.subject.id, row.message_id].append(row)
        for rows in messages.values():
            if len(rows) == 1:
                continue
            fanout = Fanout(len(rows))
            for row in rows:
                fanout.stored(row.queue_id, row.rank, row.seq, row.flags)
                self._node.fanouts[row.seq] = fanout

    async def _keep_newest(self, session: Session, wanted: dict[str, Subscription], ranks: list[int]) -> None:
        """Settle what a newer message of its topic supersedes, without reading contents.

        Args:
            session: whose queue it is.
            wanted: its subscriptions that want only the newest message, by their ids.
            ranks: of the entries in the queue.
        """
        node = self._node
        for rank in ranks:
            after = -1
            while rows := await node.store.read_headers(session.id, rank, after, LOAD_BATCH):
                for row, record in rows:
                    after = row.seq
                    subscription = wanted.get(row.subscription_id)
                    superseded = subscription.remember(record.oid, row) if subscription is not None else None
                    if subscription is not None and superseded is not None:
                        session.queue.settle_swapped(superseded)
                        subscription.dropped(superseded.seq)

    def _give_back(self, record: SessionRecord) -> int:
        """Hand what is queued for a session that cannot come back, or is set aside, to its subject.

        So it reaches the client that logs in next, and waits in the store until then.

        Returns:
            The id of the subject's queue.
        """
        node = self._node
        subject = node.subject(record.subject)
        node.save_subject(subject)
        node.store.move_all(record.id, subject.id, -1)
        return subject.id


def _read_topic(record: TopicRecord, codec: Codec) -> _Read:
    if not record.key:
        return _Read(record, None, None)
    section = codec.read_publish_qos(record.qos) if record.qos else None
    return _Read(record, codec.read_key(record.key), section.topic if section is not None else None)


def _name(id: int, name: str) -> str:
    return f"{id} '{name[:256]}'"


def _contradiction(reason: str) -> BrokerError:
    return BrokerError(Code.RESOURCE_DB_UNKNOWN, reason)


def _doubtful(session: Session | None, entries: int) -> int:
    """How many entries of a queue may have been delivered before the crash.

    All of them where a client took deliveries: not only the update that it had not answered, but also those that it
    had, if the crash came before the commit that settles them; nothing on disk tells how many these are. What a stream
    was sent is numbered.
    """
    return entries if session is not None and session.kind.marks_redelivery and session.attached else 0
