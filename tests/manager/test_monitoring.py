"""What a connection manager tells of itself over HTTP."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from broker.exposition.metric import markdown
from broker.manager.monitoring import METRICS, Monitoring
from tests.manager.world import World, settings
from tests.net.http.conversation import Connection, Received, request

DOCUMENT = Path(__file__).parents[2] / "docs" / "connection-managers.md"


class Watched:
    """A manager that is asked.

    Args:
        properties: of the manager.
    """

    def __init__(self, **properties: str) -> None:
        self.world = World(**properties)
        self.monitoring = Monitoring(self.world.clock, settings(**properties), self.world.links, [])

    def ask(self, target: str, **headers: str) -> Received:
        channel = self.monitoring.site.buildProtocol(None)
        assert channel is not None
        connection = Connection(channel, self.world.clock)
        connection.send(request(target, "GET", b"", **headers))
        (answer,) = connection.answers()
        return answer

    def value(self, name: str) -> float:
        for family in text_string_to_metric_families(self.ask("/metrics").body.decode()):
            for sample in family.samples:
                if sample.name == name:
                    return sample.value
        raise KeyError(name)


@pytest.mark.parametrize("path", ["/healthz", "/health/live"])
def test_manager_lives_without_a_link_too(path: str) -> None:
    assert (Watched().ask(path).status, Watched().ask(path).json) == (200, {"status": "live"})


def test_manager_is_ready_while_it_has_a_link() -> None:
    watched = Watched()
    answer = watched.ask("/health/ready")
    assert (answer.status, answer.json) == (503, {"status": "notReady", "reasons": [{"code": "links"}]})

    wire = watched.world.link()
    assert watched.ask("/health/ready").status == 200

    wire.lose()
    assert watched.ask("/health/ready").status == 503


def test_manager_that_stops_is_neither() -> None:
    watched = Watched()
    watched.world.link()
    watched.monitoring.stopping = True
    assert (watched.ask("/healthz").status, watched.ask("/healthz").json) == (503, {"status": "ending"})
    assert watched.ask("/health/ready").json["reasons"] == [{"code": "stopping"}]


def test_links_and_sessions_are_counted() -> None:
    watched = Watched()
    wire = watched.world.link()
    watched.world.logged_in(wire)
    assert (watched.value("broker_manager_links"), watched.value("broker_manager_sessions")) == (1, 1)

    wire.lose()

    assert (watched.value("broker_manager_links"), watched.value("broker_manager_sessions_detached")) == (0, 1)


def test_other_host_is_misdirected_unless_it_is_configured() -> None:
    assert Watched().ask("/healthz", Host="cm1.example.org").status == 421
    assert Watched(xmpp_manager_metricsHosts="cm1.example.org").ask("/healthz", Host="cm1.example.org").status == 200


def test_document_has_the_metrics() -> None:
    assert markdown(METRICS) in DOCUMENT.read_text("utf-8")
