"""The core's settings from the properties."""

from __future__ import annotations

from dataclasses import replace

from broker.config import core_options as options
from broker.config.properties import Properties
from broker.core.entries import QueueLimits
from broker.core.quotas import QuotaLimits
from broker.core.settings import Settings


def settings_of(properties: Properties) -> Settings:
    """Read the settings.

    Raises:
        BrokerError: ``resource.configuration`` for a value that cannot be used.
    """
    callback = _limits(options.CALLBACK_QUEUE, properties)
    subject = _limits(options.SUBJECT_QUEUE, properties)
    dead_letters = _limits(options.DEAD_LETTERS, properties)
    return Settings(
        session_timeout=options.SESSION_TIMEOUT.get(properties),
        max_sessions=options.MAX_SESSIONS.get(properties),
        clear_sessions=options.CLEAR_SESSIONS.get(properties),
        reconnect_same_client_only=options.SAME_CLIENT_ONLY.get(properties),
        ptp_session_timeout=options.PTP_TIMEOUT.get(properties),
        strict_persistence=options.STRICT_PERSISTENCE.get(properties),
        stored_sessions=options.SESSION_STORAGE.max_entries.get(properties),
        stored_subscriptions=options.SUBSCRIPTION_STORAGE.max_entries.get(properties),
        life_time=options.LIFE_TIME.get(properties),
        max_life_time=options.MAX_LIFE_TIME.get(properties),
        destroy_delay=options.DESTROY_DELAY.get(properties),
        history_entries=options.HISTORY_ENTRIES.get(properties),
        callback=replace(callback, overflow=options.CALLBACK_OVERFLOW.get(properties)),
        subject=replace(subject, overflow=options.SUBJECT_OVERFLOW.get(properties)),
        history=_limits(options.HISTORY_QUEUE, properties),
        dead_letters=dead_letters,
        cache_bytes=options.CACHE_BYTES.get(properties),
        pending_sleep=options.PENDING_SLEEP.get(properties),
        block_timeout=options.BLOCK_TIMEOUT.get(properties),
        max_topics=options.MAX_TOPICS.get(properties),
        max_subscriptions=options.MAX_SUBSCRIPTIONS.get(properties),
        all_subscriptions=options.ALL_SUBSCRIPTIONS.get(properties),
        max_answer_bytes=options.ANSWER_BYTES.get(properties),
        audit_days=options.AUDIT_DAYS.get(properties),
        audit_entries=options.AUDIT_ENTRIES.get(properties),
        quotas=QuotaLimits(
            forced=options.ACCOUNT_FORCED.get(properties),
            subscriptions=options.ACCOUNT_SUBSCRIPTIONS.get(properties),
            matches=options.ACCOUNT_MATCHES.get(properties),
            topics=options.ACCOUNT_TOPICS.get(properties),
            queue_bytes=options.ACCOUNT_QUEUE_BYTES.get(properties),
            history_bytes=options.ACCOUNT_HISTORY_BYTES.get(properties),
            unfinished_bytes=options.ACCOUNT_UNFINISHED_BYTES.get(properties),
            waiting_bytes=options.ACCOUNT_WAITING_BYTES.get(properties),
            unread_bytes=options.ACCOUNT_UNREAD_BYTES.get(properties),
        ),
    )


def _limits(queue: options.QueueOptions, properties: Properties) -> QueueLimits:
    return QueueLimits(
        entries=queue.max_entries.get(properties),
        bytes=queue.max_bytes.get(properties),
        cache_entries=queue.max_entries_cache.get(properties),
        cache_bytes=queue.max_bytes_cache.get(properties),
        max_entries=options.MAX_ENTRIES.get(properties),
        max_bytes=options.MAX_BYTES.get(properties),
        max_cache_entries=options.MAX_CACHE_ENTRIES.get(properties),
        max_cache_bytes=options.MAX_CACHE_BYTES.get(properties),
    )
