"""What a connection manager tells of itself over HTTP: whether it lives, whether it is ready, and metrics."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any

from twisted.copyright import version as twisted_version

from broker import __version__
from broker.exposition.metric import Metric, Sample, Type, one
from broker.exposition.reactor_lag import REACTOR_LAG, ReactorLag
from broker.exposition.text import Exposition
from broker.manager.links import Links
from broker.manager.settings import ManagerSettings
from broker.net.http.exchange import Answer, Call, json
from broker.net.http.routes import Route, Router
from broker.net.http.site import Site
from broker.net.listener import Listener
from broker.net.listener_metrics import LISTENERS

EVERYBODY = "all"


class Monitoring:
    """Serves it; there is no login, so its port is for those who may know.

    Args:
        reactor: the reactor.
        settings: of the manager.
        links: to the server.
        listeners: for clients, by their names.

    Attributes:
        stopping: the manager has been told to end.
        lag: of the reactor.
    """

    def __init__(
        self, reactor: Any, settings: ManagerSettings, links: Links, listeners: Sequence[tuple[str, Listener]]
    ) -> None:
        self.stopping = False
        self.settings = settings
        self.links = links
        self.lag = ReactorLag(reactor)
        self._listeners = listeners
        self._exposition = Exposition(METRICS, self)
        routes = [
            Route("GET", "/healthz", EVERYBODY, self._live, summary="The same as /health/live."),
            Route("GET", "/health/live", EVERYBODY, self._live, summary="Whether the manager can be asked."),
            Route("GET", "/health/ready", EVERYBODY, self._ready, summary="Whether clients may be sent to it."),
            Route("GET", "/metrics", EVERYBODY, self._metrics, summary="Metrics for Prometheus."),
        ]
        hosts = (settings.metrics_hostname, *settings.metrics_hosts)
        self.site = Site(Router(routes), lambda call, route: None, reactor, hosts=hosts)

    def listeners(self) -> Sequence[tuple[str, Listener]]:
        """The listeners for clients, by their names."""
        return self._listeners

    def reasons(self) -> list[str]:
        """Why clients are not to be sent to it; empty where they may be."""
        if self.stopping:
            return ["stopping"]
        return [] if len(self.links) else ["links"]

    async def _live(self, call: Call) -> Answer:
        if self.stopping:
            return json({"status": "ending"}, HTTPStatus.SERVICE_UNAVAILABLE)
        return json({"status": "live"})

    async def _ready(self, call: Call) -> Answer:
        reasons = [{"code": code} for code in self.reasons()]
        if reasons:
            return json({"status": "notReady", "reasons": reasons}, HTTPStatus.SERVICE_UNAVAILABLE)
        return json({"status": "ready", "reasons": []})

    async def _metrics(self, call: Call) -> Answer:
        return Answer(*self._exposition.write(call.headers.get("accept", "")))


def _build(monitoring: Monitoring) -> Iterable[Sample]:
    settings = monitoring.settings
    return [((__version__, platform.python_version(), twisted_version, settings.name, settings.domain), 1)]


METRICS: tuple[Metric[Monitoring], ...] = (
    Metric(
        "broker_manager_build_info",
        Type.GAUGE,
        "Always 1; its labels say what runs.",
        _build,
        ("version", "python", "twisted", "manager", "domain"),
    ),
    Metric(
        "broker_manager_ready",
        Type.GAUGE,
        "1 where clients may be sent to the manager, as /health/ready has it.",
        one(lambda monitoring: 0 if monitoring.reasons() else 1),
    ),
    Metric("broker_manager_links", Type.GAUGE, "Links to the server that are open.", one(lambda m: len(m.links))),
    Metric(
        "broker_manager_links_wanted",
        Type.GAUGE,
        "Links that are configured.",
        one(lambda monitoring: monitoring.settings.connections),
    ),
    Metric(
        "broker_manager_sessions",
        Type.GAUGE,
        "Sessions of clients with the server.",
        one(lambda monitoring: monitoring.links.sessions),
    ),
    Metric(
        "broker_manager_sessions_detached",
        Type.GAUGE,
        "Those of them that have lost their link, and wait for another.",
        one(lambda monitoring: monitoring.links.sessions_detached),
    ),
    Metric(
        "broker_manager_clients_waiting",
        Type.GAUGE,
        "Clients that wait for a link.",
        one(lambda monitoring: monitoring.links.clients_waiting),
    ),
    *LISTENERS,
    REACTOR_LAG,
)
