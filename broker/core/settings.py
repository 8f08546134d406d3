"""What the core needs to know of the configuration; :mod:`broker.app` fills it from the properties."""

from __future__ import annotations

from dataclasses import dataclass, replace

from broker.core.entries import QueueLimits
from broker.core.quotas import QuotaLimits
from broker.model.connect import AddressQos, ConnectQos
from broker.model.qos import QueueQos

DAY = 86_400_000


@dataclass(frozen=True, slots=True)
class Settings:
    """Defaults and limits (spec xmlblaster §4, §7, §10.1). Times in milliseconds.

    Args:
        session_timeout: of a session without requests; ``<= 0`` never.
        max_sessions: of one subject.
        clear_sessions: end the subject's other sessions at every login.
        reconnect_same_client_only: refuse another client instance.
        ptp_session_timeout: of sessions made for a message that was forced to them.
        strict_persistence: refuse a persistent session that lacks the requisites instead of serving it as transient.
        stored_sessions: most persistent sessions.
        stored_subscriptions: most persistent subscriptions.
        life_time: of messages that give none.
        max_life_time: cap of the above, ``-1`` none.
        destroy_delay: of topics that give none.
        history_entries: delivered at subscription or get where the client gives no number.
        callback: limits of callback queues that the client leaves open.
        subject: the same of subject queues.
        history: the same of histories.
        dead_letters: limits of the history of dead messages.
        cache_bytes: most bytes of all queues together in memory.
        pending_sleep: longest wait at disconnect for the client to take what is queued for it.
        block_timeout: longest wait of a publisher for room in a queue whose overflow is ``block``.
        max_topics: most topics.
        max_subscriptions: most subscriptions of one session.
        all_subscriptions: most subscriptions of all sessions together.
        max_answer_bytes: most bytes of contents that one ``get`` is answered with.
        quotas: of each account.
        administrators: login names that own everything.
        audit_days: that rows of the audit are kept.
        audit_entries: most rows of the audit.
    """

    session_timeout: int = DAY
    max_sessions: int = 10
    clear_sessions: bool = False
    reconnect_same_client_only: bool = False
    ptp_session_timeout: int = -1
    strict_persistence: bool = False
    stored_sessions: int = 2_147_483_647
    stored_subscriptions: int = 2_147_483_647
    life_time: int = -1
    max_life_time: int = -1
    destroy_delay: int = 60_000
    history_entries: int = 1
    callback: QueueLimits = QueueLimits()
    subject: QueueLimits = QueueLimits()
    history: QueueLimits = QueueLimits(entries=10, cache_entries=10)
    dead_letters: QueueLimits = QueueLimits(entries=1000, cache_entries=10)
    cache_bytes: int = 67_108_864
    pending_sleep: int = 1000
    block_timeout: int = 30_000
    max_topics: int = 1_000_000
    max_subscriptions: int = 10_000
    all_subscriptions: int = 1_000_000
    max_answer_bytes: int = 67_108_864
    quotas: QuotaLimits = QuotaLimits()
    administrators: frozenset[str] = frozenset()
    audit_days: int = 90
    audit_entries: int = 100_000


def limits_of(qos: QueueQos | None, default: QueueLimits) -> QueueLimits:
    """The limits that a peer asked for, completed by the configured ones, and lowered to the most that it may ask for.

    Args:
        qos: what the peer gave, or ``None``.
        default: the configuration.
    """
    if qos is None:
        return default
    return replace(
        default,
        entries=_capped(qos.max_entries, default.entries, default.max_entries),
        bytes=_capped(qos.max_bytes, default.bytes, default.max_bytes),
        cache_entries=_capped(qos.max_entries_cache, default.cache_entries, default.max_cache_entries),
        cache_bytes=_capped(qos.max_bytes_cache, default.cache_bytes, default.max_cache_bytes),
        overflow=qos.on_overflow or default.overflow,
    )


def told(qos: QueueQos, limits: QueueLimits) -> QueueQos:
    """What a peer is answered about a queue: of the limits that it gave, those that hold.

    Args:
        qos: what the peer gave.
        limits: of the queue.
    """
    return replace(
        qos,
        max_entries=None if qos.max_entries is None else limits.entries,
        max_bytes=None if qos.max_bytes is None else limits.bytes,
        max_entries_cache=None if qos.max_entries_cache is None else limits.cache_entries,
        max_bytes_cache=None if qos.max_bytes_cache is None else limits.cache_bytes,
    )


def _capped(wanted: int | None, default: int, most: int) -> int:
    return default if wanted is None else min(wanted, max(most, default))


def is_fail_safe(address: AddressQos | None) -> bool:
    """Whether the callback survives the client's absence (seed requisite b: retries without end)."""
    return address is not None and address.retries is not None and address.retries < 0


def why_not_persistable(public_id: int, qos: ConnectQos) -> str:
    """What a session lacks to be persistent (requirement engine.persistence.session), or an empty text.

    Args:
        public_id: of the session.
        qos: of its connect.
    """
    if public_id <= 0:
        return "a persistent session needs a positive session number chosen by the client"
    if not is_fail_safe(qos.callback):
        return "a persistent session needs a fail-safe callback (retries='-1')"
    return ""
