"""The bench: that it measures and writes what it says; how fast anything is, no test can know."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.picture import draw
from bench.report import as_markdown, updated
from bench.targets import judge

pytestmark = pytest.mark.system
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("bench")
    arguments = ["--quick", "--cases", "native-oneway-1,native-absent", "--rounds", "2", "--no-peers"]
    run = subprocess.run(
        [sys.executable, "-m", "bench", *arguments, "--scratch", str(directory), "--output", str(directory)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return directory


@pytest.fixture(scope="module")
def report(output: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((output / "results.json").read_text())
    return found


def case(report: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [each for each in report["cases"] if each["name"] == name]
    return dict(found)


def test_each_round_is_measured(report: dict[str, Any]) -> None:
    rounds = case(report, "native-oneway-1")["rounds"]["broker"]
    assert sorted(rounds) == ["1", "2"]
    assert all(each["delivered_per_s"] > 0 for each in rounds.values())


def test_the_median_is_between_minimum_and_maximum(report: dict[str, Any]) -> None:
    spread = case(report, "native-absent")["summary"]["broker"]["drained_per_s"]
    assert 0 < spread["minimum"] <= spread["median"] <= spread["maximum"]


def test_the_machine_is_described(report: dict[str, Any]) -> None:
    machine = report["machine"]
    assert machine["cores"] >= 1
    assert machine["sync_p50_ms"] > 0
    assert report["versions"]["broker"]


def test_a_quick_run_judges_nothing(report: dict[str, Any]) -> None:
    assert report["quick"] is True
    assert {target["met"] for target in report["targets"]} == {None}


def test_tables_name_every_case(output: Path) -> None:
    text = (output / "tables.md").read_text()
    assert re.search(r"^\| oneway, volatile, 1 subscriber, 100 B \| broker \|", text, re.MULTILINE)
    assert re.search(r"^\| persistent, 100 B \| broker \|", text, re.MULTILINE)


def test_nothing_is_left_in_the_scratch_directory(output: Path) -> None:
    assert sorted(each.name for each in output.iterdir()) == ["ratios.svg", "results.json", "tables.md"]


def beside_a_peer(
    name: str, *, more_is_better: bool, ours: float, theirs: float, others: float = 0.1, python: str = "3.11.2"
) -> dict[str, Any]:
    """A report of one case, as it is when a peer was measured, too."""
    ratio = ours / theirs
    return {
        "quick": False,
        "machine": {"python": python},
        "versions": {},
        "left_out": [],
        "errors": [],
        "targets": [],
        "cases": [
            {
                "name": name,
                "python": python,
                "group": "A",
                "title": "case",
                "figures": [{"key": "f", "title": "figure", "unit": "/s", "more_is_better": more_is_better}],
                "rounds": {"broker": {"1": {"f": ours, "other_cpu": others}}},
                "summary": {
                    system: {"f": dict.fromkeys(("minimum", "median", "maximum"), value)}
                    for system, value in (("broker", ours), ("prosody", theirs))
                },
                "ratios": {"prosody": dict.fromkeys(("minimum", "median", "maximum"), ratio)},
            }
        ],
    }


def test_ratios_stand_in_the_table_beside_the_peer() -> None:
    text = as_markdown(beside_a_peer("x", more_is_better=True, ours=300, theirs=100))
    assert "|  | prosody | 100/s | 100/s | 100/s | 3.00, **3.00**, 3.00 |" in text


@pytest.mark.parametrize(("others", "told"), [(1.5, True), (0.2, False)])
def test_the_tables_say_where_the_machine_was_busy_with_other_work(others: float, told: bool) -> None:
    text = as_markdown(beside_a_peer("x", more_is_better=True, ours=3, theirs=1, others=others))
    assert ("150% of a processor" in text) is told


@pytest.mark.parametrize(("ours", "theirs", "more_is_better"), [(300, 100, True), (100, 300, False)])
def test_the_picture_shows_how_many_times_as_good_it_is(ours: float, theirs: float, more_is_better: bool) -> None:
    picture = draw(beside_a_peer("x", more_is_better=more_is_better, ours=ours, theirs=theirs))
    assert 'class="better"' in picture
    assert ">3.00</text>" in picture


@pytest.mark.parametrize(("ours", "met"), [(300, True), (299, False)])
def test_a_target_is_judged_by_the_median(ours: float, met: bool) -> None:
    report = beside_a_peer("xmpp-pair", more_is_better=True, ours=ours, theirs=100)
    (target,) = [each for each in judge(report) if each["title"] == "XMPP, 1 pair : Prosody"]
    assert target["median"] == ours / 100
    assert target["met"] is met


def test_what_was_not_measured_is_not_judged() -> None:
    report = beside_a_peer("xmpp-pair", more_is_better=True, ours=300, theirs=100)
    (target,) = [each for each in judge(report) if each["title"] == "memory of an idle session, native"]
    assert target["met"] is None


def test_cases_that_are_not_measured_again_are_kept() -> None:
    earlier = beside_a_peer("old", more_is_better=True, ours=2, theirs=1)
    now = beside_a_peer("new", more_is_better=True, ours=3, theirs=1)
    report = updated(earlier, now, ["new", "old"])
    assert [each["name"] for each in report["cases"]] == ["new", "old"]


def test_a_case_that_is_measured_again_replaces_the_earlier_one() -> None:
    earlier = beside_a_peer("x", more_is_better=True, ours=2, theirs=1)
    now = beside_a_peer("x", more_is_better=True, ours=3, theirs=1)
    (found,) = updated(earlier, now, ["x"])["cases"]
    assert found["ratios"]["prosody"]["median"] == 3.0


def test_cases_that_were_measured_with_another_python_are_named() -> None:
    earlier = beside_a_peer("old", more_is_better=True, ours=2, theirs=1, python="3.11.7")
    now = beside_a_peer("new", more_is_better=True, ours=3, theirs=1)
    del earlier["cases"][0]["python"]  # as reports were before

    text = as_markdown(updated(earlier, now, ["new", "old"]))

    assert "Measured with Python 3.11.7: case." in text
    assert "Measured with" not in as_markdown(now)
