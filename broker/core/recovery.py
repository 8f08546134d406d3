"""Standing up again after a stop or a crash (design D2, D12; spec xmlblaster §7, §8.1)."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from twisted.logger import Logger

from broker.core.codec import Encoded
from broker.core.entries import Fanout
from broker.core.queues import LOAD_BATCH, Queue
from broker.errors import BrokerError
from broker.model.records import NEWEST_ONLY, EntryRecord, Recovered, SessionRecord

if TYPE_CHECKING:
    from broker.core.erasure import Erasure
    from broker.core.node import Node
    from broker.core.placeholders import Placeholders
    from broker.core.querying import Querying
    from broker.core.registry import SessionRegistry
    from broker.core.sessions import Session
    from broker.core.subscriptions import Subscription

log = Logger()


class Recovery:
    """Rebuilds the node from what the store has; no message is read.

    Args:
        node: shared state; empty.
        sessions: stands up sessions.
        placeholders: forgets those that nothing is left for.
        querying: stands up subscriptions.
        erasure: of what waits in queues.
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
        self._found: Recovered | None = None

    async def topics(self) -> None:
        """Read the store and stand up the topics (run level 2)."""
        found = self._found = await self._node.store.recover()
        node = self._node
        node.raise_floor(found.last_id)
        await self._erasure.recover()
        node.last_heartbeat = found.heartbeat
        for record in found.topics:
            topic = node.make_topic(record.id, record.oid)
            topic.stored = True
            topic.owner = record.owner
            try:
                if record.key:
                    codec = node.codec
                    section = codec.read_publish_qos(record.qos) if record.qos else None
                    config = section.topic if section is not None else None
                    default = node.default_history(record.oid)
                    encoded = Encoded(record.key, record.qos)
                    topic.configure(codec.read_key(record.key), encoded, config, default)
            except BrokerError as error:
                log.error(
                    "topic {oid} is recovered without its configuration: {reason}", oid=record.oid, reason=str(error)
                )
        by_id = {topic.id: topic for topic in node.topics.values()}
        for depth in found.depths:
            published = by_id.get(depth.queue_id)
            if published is not None:
                published.history.restore(depth.entries)
                published.used = True

    async def sessions(self) -> None:
        """Stand up subjects, sessions, subscriptions and their queues (the session persistence plugin)."""
        found, self._found = self._found, None
        if found is None:
            return
        node = self._node
        for subject_record in found.subjects:
            subject = node.subject(subject_record.name)
            node.queues.pop(subject.id, None)
            subject.id = subject.queue.id = subject_record.id
            subject.stored = True
            node.queues[subject.id] = subject.queue
        by_id: dict[int, Session] = {}
        lost: list[SessionRecord] = []
        for record in found.sessions:
            try:
                session = self._sessions.recover(record, found.handled.get(record.id, 0))
            except BrokerError as error:
                log.error(
                    "a session of {subject} can not be recovered: {reason}", subject=record.subject, reason=str(error)
                )
                session = None
            if session is None:
                lost.append(record)
            else:
                by_id[record.id] = session
        for subscription in found.subscriptions:
            owner = by_id.get(subscription.session_id)
            try:
                if owner is not None:
                    self._querying.recover(subscription, owner)
                    continue
                log.warn("subscription {id} has lost its session", id=subscription.id)
            except BrokerError as error:
                log.error("subscription {id} can not be recovered: {reason}", id=subscription.id, reason=str(error))
            node.store.delete_subscription(subscription.id)
        moved = {record.id: self._give_back(record) for record in lost}
        for depth in found.depths:
            queue = node.queues.get(moved.get(depth.queue_id, depth.queue_id))
            if isinstance(queue, Queue):
                owner = by_id.get(depth.queue_id)
                queue.restore(depth.rank, depth.entries, depth.bytes, _doubtful(owner, depth.entries))
            elif queue is None:
                log.error("{count} entries belong to no queue: dropped", count=depth.entries)
                node.store.settle_all(depth.queue_id)
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
        for subject in list(node.subjects.values()):
            node.release_subject(subject)
        log.info(
            "recovered {sessions} sessions, {subscriptions} subscriptions, {topics} topics, {entries} queued messages",
            sessions=len(by_id),
            subscriptions=len(node.subscriptions),
            topics=len(node.topics),
            entries=sum(depth.entries for depth in found.depths),
        )

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
                    if superseded is not None:
                        session.queue.settle_swapped(superseded)

    def _give_back(self, record: SessionRecord) -> int:
        """Hand what is queued for a session that can not come back to its subject.

        Returns:
            The id of the subject's queue.
        """
        node = self._node
        subject = node.subject(record.subject)
        node.keep_subject(subject)
        node.store.move_all(record.id, subject.id, -1)
        node.store.delete_session(record.id)
        return subject.id


def _doubtful(session: Session | None, entries: int) -> int:
    """How many entries of a queue may have been delivered before the crash.

    All of them where a client took deliveries: not only the update that it had not answered, but also those that it
    had, if the crash came before the commit that settles them; nothing on disk tells how many these are. What a stream
    was sent is numbered.
    """
    return entries if session is not None and session.kind.marks_redelivery and session.attached else 0
