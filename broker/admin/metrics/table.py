"""All metrics of the broker; ``docs/metrics.md`` is written from it: ``python -m broker.admin.metrics.table``."""

from __future__ import annotations

import sys

from broker.admin.metrics.of_messages import MESSAGES
from broker.admin.metrics.of_objects import OBJECTS
from broker.admin.metrics.of_process import PROCESS
from broker.admin.metrics.sources import Sources
from broker.exposition.metric import Metric, markdown

METRICS: tuple[Metric[Sources], ...] = (*PROCESS, *MESSAGES)

_HEAD = """\
# Metrics

`GET /metrics` over the socket of [administration](operations.md#administration-over-http), or on
`plugin/admin/metricsPort`, in the form of Prometheus; in that of OpenMetrics for who asks for it (`Accept`).

    broker run --set plugin/admin/metricsPort=7610
    curl http://127.0.0.1:7610/metrics

There are as many series whatever clients do: labels name listeners, protocols and states, and never an account, a topic
or a peer. What takes a look at every session, topic and queue is counted every 10 seconds, everything else when it is
asked for. Counters begin with the part of the broker that counts: those of listeners at run level 3, those of the
store, of messages, sessions and logins at run level 0, all others with the process. They never fall meanwhile. Before
run level 2 there is nothing of messages, sessions and logins; the sizes of files are there with SQLite only. Beside
these there are `process_*`, `python_gc_*` and `python_info`.

Rules for [alerts](alerts.md) come with the package.

"""
_OBJECTS = """
## A few objects

`GET /metrics/objects` tells of the objects that the property `metrics.objects` names, 200 at most, over the socket or
to who has logged in; never on `metricsPort`. The label `object` is the name as it stands there. With `*` at the
beginning or the end it stands for many objects, which are summed up in one series; all names are gone through for it.

    broker run --set 'metrics.objects=topic:weather,queue:callback/billing~1,subject:ann*'

"""


def write() -> str:
    """The text of the document."""
    return _HEAD + markdown(METRICS) + _OBJECTS + markdown(OBJECTS)


if __name__ == "__main__":
    sys.stdout.write(write())
