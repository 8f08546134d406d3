"""Attacks a running broker in all ways that are known, while innocent clients measure what they notice of it.

    python -m tests.campaign.hostile
    python -m tests.campaign.hostile --only loris --markdown

After each attack: it was refused; its address is in the log no more than some times for each connection; the broker's
memory is bounded; the innocents are still served, and were never kept waiting for long. Ends with status 1 where that
is false.
"""

from __future__ import annotations

import argparse
import math
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from broker.auth.scram import make_account
from broker.store.sql.accounts import AccountTable
from tests.campaign import crowding, native_attacks, network_attacks, web_attacks, xmlrpc_attacks, xmpp_attacks
from tests.campaign.attack import ATTACKER, COMPRESSED, IPV6, LOGIN_SECONDS, MAX_PENDING, Attack, NotRefused, Stage
from tests.campaign.innocents import NAMES, PAIRS, Innocents, Latency
from tests.campaign.networks import Network, NoNetwork
from tests.campaign.resident import forget_peak, peak, resident
from tests.campaign.talkers import Ended, Silent
from tests.system.launcher import ANY_PORTS, BrokerProcess

ATTACKS = (
    *native_attacks.ATTACKS,
    *xmpp_attacks.ATTACKS,
    *web_attacks.ATTACKS,
    *xmlrpc_attacks.ATTACKS,
    *crowding.ATTACKS,
    *network_attacks.ATTACKS,
)
QUIET_SECONDS = 5.0
MAX_GROWTH = 256.0
"""Megabytes that resident memory may rise above what it was before an attack, at any time of it."""
MAX_LEFT = 192.0
"""Megabytes that may be left of it afterwards."""
MAX_STALL = 2000.0
"""Milliseconds that a round trip of innocents may take during an attack."""
MAX_HIGH = 50.0
"""Milliseconds that 99 of 100 round trips may take at most."""
LINES_EACH = 5
"""Lines in the log for each connection of an attacker."""
LINES_MORE = 20
SETTINGS = {
    "plugin/admin/port": "-1",
    **ANY_PORTS,
    "xmpp.plainWithoutTls": "true",
    "plugin/web/port": "0",
    "plugin/xmlrpc/port": "0",
    "plugin/socket/loginTimeout": f"{LOGIN_SECONDS}s",
    f"plugin/{COMPRESSED.lower()}/port": "0",
}
PLUGINS = Path(__file__).parents[2] / "broker" / "plugins" / "default.xml"
IPV6_SETTINGS = {
    f"plugin/{IPV6.lower()}/port": "0",
    f"plugin/{IPV6.lower()}/loginTimeout": f"{LOGIN_SECONDS}s",
    f"plugin/{IPV6.lower()}/maxPendingLogins": str(MAX_PENDING),
}
IPV6_PORT = f"""<plugin id="{IPV6}" className="org.xmlBlaster.protocol.socket.SocketDriver">
    <attribute id="hostname">::</attribute>
    <action do="LOAD" onStartupRunlevel="4" sequence="26"/>
  </plugin>
</xmlBlaster>"""
COMPRESSED_PORT = f"""<plugin id="{COMPRESSED}" className="org.xmlBlaster.protocol.socket.SocketDriver">
    <attribute id="compress/type">zlib:stream</attribute>
    <action do="LOAD" onStartupRunlevel="4" sequence="25"/>
  </plugin>
</xmlBlaster>"""


@dataclass(frozen=True, slots=True)
class Row:
    """What came of an attack.

    Args:
        name: of the attack.
        answer: how it was refused.
        seconds: that it took.
        peers: connections that it made.
        lines: of the log that name it.
        before: resident megabytes.
        peak: the same at most during the attack.
        after: the same afterwards.
        latency: of the innocents, by pair.
        wrong: what should not be; empty where all is well.
    """

    name: str
    answer: str
    seconds: float
    peers: int
    lines: int
    before: float
    peak: float
    after: float
    latency: dict[str, Latency]
    wrong: str

    def cells(self) -> list[str]:
        """The row of the table."""
        memory = f"{self.before:.0f} / {self.peak:.0f} / {self.after:.0f}"
        return [
            self.name,
            self.answer,
            f"{self.seconds:.1f}",
            str(self.peers),
            str(self.lines),
            memory,
            *(str(self.latency[pair]) for pair in PAIRS),
        ]


HEADINGS = [
    "attack",
    "answer",
    "s",
    "connections",
    "log lines",
    "MB before / peak / after",
    *(f"{pair} ms p50 / p99 / max" for pair in PAIRS),
]


class Campaign:
    """All attacks on one broker, one after the other.

    Args:
        directory: for the broker's data.
        scale: 1 for all connections and requests of an attack, less for a part of them.
        tell: takes a line for people.
        most_stall: see :data:`MAX_STALL`.
        most_high: see :data:`MAX_HIGH`.
        network: of the attacker, for attacks that need one.
    """

    def __init__(
        self,
        directory: Path,
        scale: float,
        tell: Callable[[str], None],
        most_stall: float = math.inf,
        most_high: float = math.inf,
        network: Network | None = None,
    ) -> None:
        plugins = directory / "plugins.xml"
        text = PLUGINS.read_text("utf-8").replace("</xmlBlaster>", COMPRESSED_PORT)
        if network is not None:
            text = text.replace("</xmlBlaster>", IPV6_PORT)
        plugins.write_text(text, "utf-8")
        self.broker = BrokerProcess(
            directory / "data",
            settings=SETTINGS if network is None else SETTINGS | IPV6_SETTINGS,
            arguments=["--plugins", str(plugins)],
            timeout=60.0,
        )
        self._network = network
        self._scale = scale
        self._most_stall = most_stall
        self._most_high = most_high
        self._tell = tell

    def run(self, attacks: Sequence[Attack]) -> list[Row]:
        """Run them; the first row is that of a quiet time."""
        broker = self.broker
        broker.add_accounts(*NAMES, ATTACKER)
        with AccountTable(f"sqlite:///{broker.data}/broker.db") as table:
            for name in crowding.CROWD:
                table.put(make_account(name, "secret", created=0))
        with broker:
            innocents = Innocents(broker)
            try:
                innocents.settle()
                rows = [self._row(Attack("quiet", _wait), 0, innocents)]
                for number, attack in enumerate(attacks, 1):
                    rows.append(self._row(attack, number, innocents))
                    self._tell(_line(rows[-1]))
                    if innocents.lost:
                        break
                return rows
            finally:
                innocents.close()

    def _row(self, attack: Attack, number: int, innocents: Innocents) -> Row:
        broker = self.broker
        network = self._network if attack.needs_network else None
        source = f"127.0.{number}.2" if network is None else network.prefix
        stage = Stage(broker, source, self._scale, network)
        forget_peak(broker.pid)
        before, logged = resident(broker.pid), len(broker.log())
        began = time.monotonic()
        wrong: list[str] = []
        answer = ""
        try:
            answer = attack.run(stage)
        except (NotRefused, Ended, Silent, OSError) as error:
            wrong.append(f"{error!r}")
        try:
            innocents.settle()
        except Silent as silent:
            wrong.append(str(silent))
        ended = time.monotonic()
        if not broker.running:
            raise NotRefused(f"{attack.name}: the broker is gone:\n{broker.log()[-4000:]}")
        row = Row(
            attack.name,
            answer,
            ended - began,
            stage.peers,
            broker.log()[logged:].count(stage.source),
            before,
            peak(broker.pid),
            resident(broker.pid),
            {pair: innocents.latency(pair, began, ended) for pair in PAIRS},
            "",
        )
        wrong += self._broken(row, broker.log()[logged:], stage.requests)
        if innocents.lost:
            wrong.append(f"innocents were disconnected: {innocents.lost}")
        return replace(row, wrong="; ".join(wrong))

    def _broken(self, row: Row, log: str, requests: int) -> list[str]:
        """The bounds that a row exceeds; ``requests`` were refused to clients that had logged in."""
        wrong = []
        if row.peak - row.before > MAX_GROWTH:
            wrong.append(f"memory rose by {row.peak - row.before:.0f} MB, {MAX_GROWTH:.0f} are allowed")
        if row.after - row.before > MAX_LEFT:
            wrong.append(f"{row.after - row.before:.0f} MB are left, {MAX_LEFT:.0f} are allowed")
        most = LINES_MORE + LINES_EACH * row.peers + requests
        if row.lines > most:
            wrong.append(f"{row.lines} lines in the log, {most} are allowed")
        if "Traceback (most recent call last)" in log:
            wrong.append(f"a failure in the log: {log[log.index('Traceback') - 300 :][:2000]}")
        for pair, latency in row.latency.items():
            if latency.highest > self._most_stall:
                wrong.append(f"{pair} innocents waited for {latency.highest:.0f} ms")
            if latency.high > self._most_high:
                wrong.append(f"one of 100 {pair} round trips took {latency.high:.0f} ms")
        return wrong


def _wait(stage: Stage) -> str:
    time.sleep(QUIET_SECONDS * min(1.0, stage.scale * 2))
    return ""


def _line(row: Row) -> str:
    return f"{'WRONG' if row.wrong else 'ok':<6} {' | '.join(row.cells())}" + (
        f"\n       {row.wrong}" if row.wrong else ""
    )


def table(rows: Sequence[Row], *, markdown: bool) -> str:
    """The rows as a table."""
    lines = [HEADINGS, *(row.cells() for row in rows)]
    if markdown:
        lines.insert(1, ["---"] * len(HEADINGS))
        return "\n".join("| " + " | ".join(line) + " |" for line in lines)
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)


def main() -> None:
    """Run the campaign of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0, help="part of the connections and requests (1)")
    parser.add_argument(
        "--high", type=float, default=MAX_HIGH, help=f"milliseconds for 99 of 100 round trips ({MAX_HIGH:.0f})"
    )
    parser.add_argument("--only", default="", help="attacks with this in their name")
    parser.add_argument("--markdown", action="store_true", help="write the table as Markdown")
    given = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="broker-hostile-"))
    attacks = [attack for attack in ATTACKS if given.only.lower() in attack.name.lower()]
    with ExitStack() as stack:
        try:
            network = stack.enter_context(Network())
        except NoNetwork as error:
            network = None
            for attack in [attack for attack in attacks if attack.needs_network]:
                print(f"SKIPPED {attack.name}: {error}", flush=True)
                attacks.remove(attack)
        tell = partial(print, flush=True)
        rows = Campaign(directory, given.scale, tell, MAX_STALL, given.high, network).run(attacks)
    print("\n" + table(rows, markdown=given.markdown))
    wrong = [row for row in rows if row.wrong]
    for row in wrong:
        print(f"FAILED: {row.name}: {row.wrong}", file=sys.stderr)
    if wrong or len(rows) <= len(attacks):
        print(f"the data and the log are in {directory}", file=sys.stderr)
        sys.exit(1)
    shutil.rmtree(directory)


if __name__ == "__main__":
    main()
