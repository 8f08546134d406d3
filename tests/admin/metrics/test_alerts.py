"""The alerts of ``share/prometheus``, tried with Prometheus' own tool, and the dashboard."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from broker.admin.metrics.of_objects import OBJECTS
from broker.admin.metrics.table import METRICS
from broker.exposition.metric import Type

TREE = Path(__file__).parents[3]
RULES = TREE / "share" / "prometheus" / "broker.rules.yml"
DASHBOARD = TREE / "share" / "grafana" / "broker.json"
RUNBOOK = TREE / "docs" / "alerts.md"
TEXTS = (RULES, DASHBOARD, RUNBOOK, TREE / "docs" / "operations.md", TREE / "docs" / "metrics.md")
DAY = 86_400

QUIET = {
    'up{job="broker", instance="a"}': "1+0x1500",
    'process_open_fds{job="broker", instance="a"}': "800+0x1500",
    'process_max_fds{job="broker", instance="a"}': "1024+0x1500",
    'process_start_time_seconds{job="broker", instance="a"}': "100+0x1500",
    'process_resident_memory_bytes{job="broker", instance="a"}': "800+0x1500",
    'broker_memory_limit_bytes{job="broker", instance="a"}': "1000+0x1500",
    'broker_backup_last_success_timestamp_seconds{instance="a"}': "0+0x1500",
    'broker_ready{instance="a"}': "1+0x1500",
    'broker_store_failing{instance="a"}': "0+0x1500",
    'broker_store_commit_seconds_bucket{instance="a", le="1"}': "0+600x1500",
    'broker_store_commit_seconds_bucket{instance="a", le="10"}': "0+600x1500",
    'broker_store_commit_seconds_bucket{instance="a", le="+Inf"}': "0+600x1500",
    'broker_store_free_disk_bytes{instance="a"}': "1000000000-1000x1500",
    'broker_store_database_bytes{instance="a"}': "1000000000+0x1500",
    'broker_reactor_lag_seconds_bucket{instance="a", le="0.01"}': "0+120x1500",
    'broker_reactor_lag_seconds_bucket{instance="a", le="1"}': "0+120x1500",
    'broker_reactor_lag_seconds_bucket{instance="a", le="+Inf"}': "0+120x1500",
    'broker_queues_filled{instance="a", relating="callback", above="0.5"}': "3+0x1500",
    'broker_queues_filled{instance="a", relating="callback", above="0.9"}': "0+0x1500",
    'broker_queues_filled{instance="a", relating="history", above="0.9"}': "100+0x1500",
    'broker_queue_oldest_entry_seconds{instance="a", relating="callback"}': "3000+0x1500",
    'broker_queues_stuck{instance="a", cause="receiverAway"}': "5+0x1500",
    'broker_queues_stuck{instance="a", cause="unanswered"}': "0+0x1500",
    'broker_audit_failures_total{instance="a"}': "0+0x1500",
    'broker_publishers_waiting{instance="a"}': "0 1 0 2 0 1+0x1 0+0x1500",
    'broker_dead_messages_total{instance="a", group="overflow"}': "7+0x1500",
    'broker_connections{instance="a", listener="XMPP", state="anonymous"}': "400+0x1500",
    'broker_connections{instance="a", listener="XMPP", state="loggedIn"}': "400+0x1500",
    'broker_connections_limit{instance="a", listener="XMPP"}': "1000+0x1500",
    'broker_logins_total{instance="a", outcome="ok"}': "0+600x1500",
    'broker_logins_total{instance="a", outcome="wrong"}': "0+30x1500",
    'broker_logins_total{instance="a", outcome="throttled"}': "0+20x1500",
    'broker_tls_certificate_expiry_timestamp_seconds{instance="a", listener="XMPP"}': f"{30 * DAY}+0x1500",
}
"""A broker with nothing to complain of, minute by minute: series, and their values in the notation of promtool."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """Series that differ from those of a quiet broker, and the alert that they raise.

    Args:
        alert: its name.
        series: values by series.
        minutes: when it has been raised.
        severity: of the alert.
    """

    alert: str
    series: dict[str, str] = field(default_factory=dict)
    minutes: int = 60
    severity: str = "warning"


SCENARIOS = (
    Scenario("BrokerDown", {'up{job="broker", instance="a"}': "1+0x50 0+0x60"}, severity="critical"),
    Scenario("BrokerNotReady", {'broker_ready{instance="a"}': "1+0x50 0+0x60"}, severity="critical"),
    Scenario("BrokerStoreFailing", {'broker_store_failing{instance="a"}': "0+0x55 1+0x60"}, severity="critical"),
    Scenario("BrokerStoreSlow", {'broker_store_commit_seconds_bucket{instance="a", le="1"}': "0+500x1500"}),
    Scenario("BrokerDiskFillsUp", {'broker_store_free_disk_bytes{instance="a"}': "90000000+0x1500"}),
    Scenario("BrokerDiskFillsUp", {'broker_store_free_disk_bytes{instance="a"}': "1000000000-2500000x390"}, 380),
    Scenario("BrokerReactorLag", {'broker_reactor_lag_seconds_bucket{instance="a", le="0.01"}': "0+100x1500"}),
    Scenario(
        "BrokerQueuesNearlyFull", {'broker_queues_filled{instance="a", relating="callback", above="0.9"}': "1+0x1500"}
    ),
    Scenario(
        "BrokerOldMessages", {'broker_queue_oldest_entry_seconds{instance="a", relating="callback"}': "3601+60x1500"}
    ),
    Scenario("BrokerQueuesStuck", {'broker_queues_stuck{instance="a", cause="unanswered"}': "2+0x1500"}),
    Scenario("BrokerAuditFails", {'broker_audit_failures_total{instance="a"}': "0+0x55 1+0x60"}),
    Scenario("BrokerPublishersWait", {'broker_publishers_waiting{instance="a"}': "1+0x1500"}),
    Scenario("BrokerDeadMessages", {'broker_dead_messages_total{instance="a", group="overflow"}': "7+0x55 8+0x60"}),
    Scenario(
        "BrokerConnectionsNearLimit",
        {'broker_connections{instance="a", listener="XMPP", state="loggedIn"}': "460+0x1500"},
    ),
    Scenario("BrokerFilesNearLimit", {'process_open_fds{job="broker", instance="a"}': "900+0x1500"}),
    Scenario("BrokerLoginsFail", {'broker_logins_total{instance="a", outcome="throttled"}': "0+40x1500"}),
    Scenario(
        "BrokerCertificateExpires",
        {
            'broker_tls_certificate_expiry_timestamp_seconds{instance="a", listener="XMPP"}': f"{20 * DAY}+0x1500",
        },
        70,
    ),
    Scenario(
        "BrokerCertificateExpires",
        {
            'broker_tls_certificate_expiry_timestamp_seconds{instance="a", listener="XMPP"}': f"{6 * DAY}+0x1500",
        },
        severity="critical",
    ),
    Scenario(
        "BrokerRestartsOften",
        {'process_start_time_seconds{job="broker", instance="a"}': "100+0x30 200+0x5 300+0x5 400+0x60"},
        50,
    ),
    Scenario("BrokerMemoryHigh", {'process_resident_memory_bytes{job="broker", instance="a"}': "900+0x1500"}),
    Scenario("BrokerBackupOld", {'broker_backup_last_success_timestamp_seconds{instance="a"}': f"{-30 * 3600}+0x1500"}),
)
MINUTES = (60, 380, 1400)
"""When a quiet broker is looked at."""


@pytest.fixture
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("needs promtool, of the Debian package prometheus")
    return found


def firing(name: str, series: dict[str, str], expected: dict[int, Scenario | None]) -> dict[str, Any]:
    """A test for promtool: which alerts are raised at some minutes."""
    return {
        "name": name,
        "interval": "1m",
        "input_series": [{"series": each, "values": values} for each, values in series.items()],
        "promql_expr_test": [
            {
                "expr": 'count by (alertname, severity) (ALERTS{alertstate="firing"})',
                "eval_time": f"{minute}m",
                "exp_samples": []
                if scenario is None
                else [{"labels": f'{{alertname="{scenario.alert}", severity="{scenario.severity}"}}', "value": 1}],
            }
            for minute, scenario in expected.items()
        ],
    }


def run(promtool: str, *arguments: str | Path) -> None:
    done = subprocess.run([promtool, *map(str, arguments)], text=True, capture_output=True, timeout=50)
    assert done.returncode == 0, done.stdout + done.stderr


def test_rules_are_rules(promtool: str) -> None:
    run(promtool, "check", "rules", RULES)


def test_each_alert_is_raised_in_its_scenario_and_none_for_a_quiet_broker(promtool: str, tmp_path: Path) -> None:
    quiet = firing("quiet", QUIET, dict.fromkeys(MINUTES))
    raised = [
        firing(f"{each.alert} {index}", {**QUIET, **each.series}, {each.minutes: each})
        for index, each in enumerate(SCENARIOS)
    ]
    tests = tmp_path / "tests.json"  # which is YAML, too
    tests.write_text(
        json.dumps({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": [quiet, *raised]}), "utf-8"
    )
    run(promtool, "test", "rules", tests)


def alerts() -> set[str]:
    return set(re.findall(r"^ +- alert: (\w+)$", RULES.read_text("utf-8"), re.MULTILINE))


def test_every_alert_has_a_scenario() -> None:
    assert {each.alert for each in SCENARIOS} == alerts()


def test_every_alert_says_what_to_do_and_nothing_else_does() -> None:
    headings = re.findall(r"^## (\w+)$", RUNBOOK.read_text("utf-8"), re.MULTILINE)
    assert set(headings) == alerts()
    for block in RULES.read_text("utf-8").split("- alert: ")[1:]:
        assert f"runbook: docs/alerts.md#{block.split()[0].lower()}\n" in block
        assert re.search(r"^ +severity: (warning|critical)$", block, re.MULTILINE)


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_every_metric_that_is_named_exists(path: Path) -> None:
    known = {each.name for each in METRICS} | {each.name for each in OBJECTS}
    for each in METRICS:
        if each.type is Type.HISTOGRAM:
            known |= {f"{each.name}_{suffix}" for suffix in ("bucket", "sum", "count")}
    named = set(re.findall(r"\bbroker_[a-z_]+\b", path.read_text("utf-8")))
    assert named <= known


def test_dashboard_shows_what_a_data_source_has_and_panels_do_not_overlap() -> None:
    panels = json.loads(DASHBOARD.read_text("utf-8"))["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
        for target in panel.get("targets", ()):
            assert '{instance=~"$instance"' in target["expr"]
