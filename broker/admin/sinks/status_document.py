"""The broker's state as one XML document, ``$_{xml}`` in the texts of events (spec xmlblaster §16.7)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

from broker.admin import memory
from broker.core.broker import Broker
from broker.core.subjects import Subject
from broker.logs.last import LastLines
from broker.xml.write import attribute, element, escape

if TYPE_CHECKING:
    from broker.runlevels.service import RunLevels

MAX_LISTED = 1000
"""Login names, sessions of one, and topics that are listed; how many there are is told beside them."""


def status_document(broker: Broker, run_levels: RunLevels, last_lines: LastLines) -> str:
    """The document.

    Args:
        broker: the core.
        run_levels: of the broker.
        last_lines: of its log.
    """
    node = broker.node
    return "".join(
        (
            f"<node{attribute('id', node.id)}>",
            element("uptime", (node.now() - node.started) // 1000),
            element("runlevel", run_levels.level),
            element("usedMem", memory.resident()),
            element("freeMem", memory.available()),
            element("numClients", len(node.subjects)),
            element("numSessions", len(node.sessions)),
            element("numTopics", len(node.topics)),
            element("numSubscriptions", len(node.subscriptions)),
            element("numPublish", node.total("publish")),
            element("numGet", node.total("get")),
            element("numUpdate", node.total("updates", "oneway_updates")),
            element("numDeadMessages", broker.letters.count),
            *_clients(node.subjects.values()),
            *(f"<topic{attribute('id', oid)}/>" for oid in islice(node.topics, MAX_LISTED)),
            element("lastWarning", last_lines.warning),
            element("lastError", last_lines.error),
            "</node>",
        )
    )


def _clients(subjects: Iterable[Subject]) -> Iterator[str]:
    for subject in islice(subjects, MAX_LISTED):
        yield f"<client{attribute('id', subject.name)}>"
        for id, session in islice(subject.sessions.items(), MAX_LISTED):
            yield f"<session{attribute('id', id)}{attribute('state', session.dispatch.state.value)}>"
            for each in session.remote_properties.values():
                yield f"<remoteProperty{attribute('name', each.name)}>{escape(each.text)}</remoteProperty>"
            yield "</session>"
        yield "</client>"
