"""Making a bundle."""

from __future__ import annotations

import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO

from twisted.internet.defer import TimeoutError as DeferredTimeoutError

from broker.admin.bundle import parts
from broker.admin.bundle.anonymiser import Anonymiser
from broker.admin.findings.diagnosis import diagnose
from broker.admin.findings.watch import Watch
from broker.admin.metrics.sources import Sources
from broker.admin.views.overview import Overview
from broker.errors import BrokerError
from broker.exposition.text import Exposition

COUNT_SECONDS = 10.0
"""For which rows of tables are counted."""
ABOUT = """\
A bundle of a broker, for those who help to find out what is wrong with it. There are no messages in it, no passwords
and no keys.

findings.json    what is wrong, the worst first
overview.json    the broker at a glance
metrics.txt      all metrics
properties.json  the configuration, but for what is as by default
log.txt          the last lines of the log
versions.json    of the broker, Python and packages
stacks.txt       where each thread is
lag.json         how late the event loop was
tables.json      how many rows the tables of the database have
"""
HIDDEN = """
Names of accounts, sessions, topics, hosts and files are signs such as #0123456789ab here: the same name is the same
sign in this bundle, and another one in the next.
"""


@dataclass(frozen=True, slots=True)
class Bundler:
    """Makes bundles.

    Args:
        watch: numbers of the last minutes.
        exposition: writes metrics.
        tell_overview: makes the overview, of a time in milliseconds since 1970.
    """

    watch: Watch
    exposition: Exposition[Sources]
    tell_overview: Callable[[int], Overview]

    async def make(self, *, anonymise: bool) -> bytes:
        """A bundle, as a ZIP archive.

        Args:
            anonymise: hide names.
        """
        sources, anonymiser = self.watch.sources, Anonymiser(active=anonymise)
        instance = sources.instance
        findings = await diagnose(self.watch)
        tables = await self._count_rows()
        files = {
            "README.txt": (ABOUT + (HIDDEN if anonymise else "")).encode(),
            "findings.json": parts.findings_part(findings, anonymiser),
            "overview.json": parts.overview_part(self.tell_overview(int(self.watch.wall() * 1000)), anonymiser),
            "metrics.txt": parts.metrics_part(self.exposition.write()[0], anonymiser),
            "properties.json": parts.properties_part(instance.property_book.rows(), anonymiser),
            "log.txt": parts.log_part(instance.recent_lines.all(), anonymiser),
            "versions.json": parts.versions_part(),
            "stacks.txt": parts.stacks_part(),
            "lag.json": parts.lag_part(sources.lag),
            "tables.json": parts.to_json(tables),
        }
        return _zipped(files, self.watch.wall())

    async def _count_rows(self) -> dict[str, int] | None:
        """Rows of each table; ``None`` where there is no store, or it does not answer."""
        store = self.watch.sources.instance.store
        if store is None or store.failure is not None:
            return None
        counting = store.count_rows()
        counting.addTimeout(COUNT_SECONDS, self.watch.sources.instance.reactor)
        try:
            counts: dict[str, int] = await counting
        except (DeferredTimeoutError, BrokerError):
            return None
        return counts


def _zipped(files: dict[str, bytes], now: float) -> bytes:
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, data in files.items():
            info = zipfile.ZipInfo(name, time.gmtime(max(now, 315_532_800))[:6])  # it knows no time before 1980
            info.compress_type = zipfile.ZIP_DEFLATED
            opened.writestr(info, data)
    return archive.getvalue()
