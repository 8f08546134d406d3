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


def _bytes(sources: HasListeners) -> Iterable[Sample]:
    for name, listener in sources.listeners():
        yield (name, "received"), listener.counts.received
        yield (name, "sent"), listener.counts.sent


def _held(sources: HasListeners) -> Iterable[Sample]:
    for name, listener in sources.listeners():
        for pause, count in listener.counts.held.items():
            yield (name, pause), count


def _handshakes(sources: HasListeners) -> Iterable[Sample]:
    return [((name,), listener.counts.handshakes_failed) for name, listener in sources.listeners()]


def _reloads(sources: HasListeners) -> Iterable[Sample]:
    for name, listener in sources.listeners():
        tls = listener.settings.tls
        if tls is not None:
            yield (name, "done"), tls.reloads
            yield (name, "failed"), tls.reloads_failed


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
        "broker_network_bytes_total",
        Type.COUNTER,
        "Bytes that clients have sent, and that were written to them; with TLS those inside it.",
        _bytes,
        ("listener", "direction"),
    ),
    Metric(
        "broker_connections_held_back",
        Type.GAUGE,
        "Connections that are not read from now, by why; those with two reasons are in both.",
        _held,
        ("listener", "cause"),
    ),
    Metric(
        "broker_tls_handshakes_failed_total",
        Type.COUNTER,
        "TLS handshakes of clients that did not come to their end.",
        _handshakes,
        ("listener",),
    ),
    Metric(
        "broker_tls_reloads_total",
        Type.COUNTER,
        "How often the certificate was read again for new connections; where that failed the one before stays in use.",
        _reloads,
        ("listener", "outcome"),
    ),
    Metric(
        "broker_tls_certificate_expiry_timestamp_seconds",
        Type.GAUGE,
        "When the certificate that is shown expires, in seconds since 1970.",
        _expiry,
        ("listener",),
    ),
)
