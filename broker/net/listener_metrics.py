"""Metrics of listeners, in whatever program they listen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from broker.exposition.metric import Metric, Sample, Type
from broker.net.listener import Listener


class HasListeners(Protocol):
    """What they are read from."""

    def listeners(self) -> Sequence[tuple[str, Listener]]:
        """The listeners for clients, by their names."""


def _connections(sources: HasListeners) -> Iterable[Sample]:
    for name, listener in sources.listeners():
        admission = listener.admission
        yield (name, "anonymous"), admission.strangers
        yield (name, "loggedIn"), len(admission) - admission.strangers


def _limits(sources: HasListeners) -> Iterable[Sample]:
    return [((name,), listener.admission.max_connections) for name, listener in sources.listeners()]


def _opened(sources: HasListeners) -> Iterable[Sample]:
    return [((name,), listener.admission.admitted) for name, listener in sources.listeners()]


def _refused(sources: HasListeners) -> Iterable[Sample]:
    for name, listener in sources.listeners():
        for reason, count in listener.admission.refusals.items():
            yield (name, reason.value), count


def _expiry(sources: HasListeners) -> Iterable[Sample]:
    for name, listener in sources.listeners():
        tls = listener.settings.tls
        if tls is not None:
            yield (name,), tls.certificate.not_valid_after_utc.timestamp()


LISTENERS: tuple[Metric[HasListeners], ...] = (
    Metric("broker_connections", Type.GAUGE, "Connections of clients.", _connections, ("listener", "state")),
    Metric("broker_connections_limit", Type.GAUGE, "How many there may be.", _limits, ("listener",)),
    Metric("broker_connections_opened_total", Type.COUNTER, "Connections that were let in.", _opened, ("listener",)),
    Metric(
        "broker_connections_refused_total",
        Type.COUNTER,
        "Connections that were not let in, by why.",
        _refused,
        ("listener", "reason"),
    ),
    Metric(
        "broker_tls_certificate_expiry_timestamp_seconds",
        Type.GAUGE,
        "When the certificate that is shown expires, in seconds since 1970.",
        _expiry,
        ("listener",),
    ),
)
