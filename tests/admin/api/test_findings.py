"""Alarms, checks of single things, and the diagnosis."""

from __future__ import annotations

import resource
from typing import Any

import pytest

from broker.admin import memory
from broker.admin.api.findings import check_operations, diagnosis_operations
from broker.admin.census import Census
from broker.admin.findings import conditions, diagnosis
from broker.admin.findings.alarms import CLEAR_AFTER, Alarm, Alarms
from broker.admin.findings.checks import CheckName
from broker.admin.findings.finding import Finding, Severity
from broker.admin.findings.watch import INTERVAL, Watch
from broker.errors import BrokerError, Code
from broker.model.qos import Overflow, QueueQos
from tests.admin.api.desk import STRANGER, Desk
from tests.admin.sources import watch_of
from tests.net.http.conversation import Received

FULL = BrokerError(Code.RESOURCE_NO_MORE_SPACE, "no space left on the device")


class Checked:
    """A broker whose findings are asked for."""

    def __init__(self, uid: int | None = 0, settings: dict[str, str] | None = None) -> None:
        self.desk = Desk(uid=uid, settings={"db.url": "memory:", "admin.users": "boss"} | (settings or {}))
        self.world = self.desk.world
        self.census = Census(self.desk.instance)
        self.watch = watch_of(self.desk.instance, self.census)

    def count(self) -> None:
        self.census.start()
        self.world.turn()
        self.census.stop()

    def ask(self, path: str) -> Received:
        operations = [*check_operations(self.watch, self.desk.gate), *diagnosis_operations(self.watch)]
        return self.desk.ask(operations, path)

    def findings(self) -> dict[str, Any]:
        return {each["code"]: each for each in self.ask("/api/v1/diagnose").json["findings"]}


def nearly_full(checked: Checked) -> None:
    queue = QueueQos("callback", max_entries=10, on_overflow=Overflow.DISCARD)
    jack, joe = checked.world.client("jack/1", answers=False, queue=queue), checked.world.client("joe")
    jack.subscribe("news")
    for _ in range(9):
        joe.publish("news", b"x")
    checked.count()


def test_checks_of_a_good_broker_pass() -> None:
    answer = Checked().ask("/health/checks")
    assert (answer.status, answer.json["status"]) == (200, "pass"), answer.body
    assert [each["name"] for each in answer.json["checks"]] == [each.value for each in CheckName]


def test_check_that_fails_is_answered_with_503_and_so_are_all_together() -> None:
    checked = Checked()
    checked.world.store.fail(FULL)
    checked.world.advance(5)
    one, all_of_them = checked.ask("/health/checks/store"), checked.ask("/health/checks")
    assert (one.status, one.json["status"]) == (503, "fail")
    assert "no space left" in one.json["detail"]
    assert (all_of_them.status, all_of_them.json["status"]) == (503, "fail")
    assert checked.ask("/health/checks/queues").status == 200


def test_check_that_warns_is_answered_with_200() -> None:
    checked = Checked()
    nearly_full(checked)
    answer = checked.ask("/health/checks/queues")
    assert (answer.status, answer.json["status"]) == (200, "warn")


def test_who_has_not_logged_in_is_told_the_status_only() -> None:
    checked = Checked(uid=None)
    checked.world.store.fail(FULL)
    assert checked.ask("/health/checks/store").json == {"name": "store", "status": "fail"}
    assert all("detail" not in each for each in checked.ask("/health/checks").json["checks"])


@pytest.mark.parametrize(("level", "status"), [(9, "pass"), (6, "fail")])
def test_run_level_that_serves_no_clients_fails(level: int, status: str) -> None:
    checked = Checked()
    checked.desk.fake.run_levels.level = level
    assert checked.ask("/health/checks/runLevel").json["status"] == status


def test_broker_that_comes_up_is_no_failure() -> None:
    checked = Checked()
    checked.desk.fake.run_levels.level, checked.desk.fake.run_levels.target = 3, 9
    assert checked.ask("/health/checks/runLevel").json["status"] == "warn"


def test_check_that_there_is_not_is_not_found_and_names_those_that_there_are() -> None:
    answer = Checked().ask("/health/checks/odd")
    assert answer.status == 404
    assert "certificates" in answer.json["detail"]


@pytest.mark.parametrize("query", ["withinDays=0", "withinDays=x", "withinHours=-1", "withinWeeks=1"])
def test_bound_that_cannot_be_used_is_refused(query: str) -> None:
    assert Checked().ask(f"/health/checks/certificates?{query}").status == 400


def test_alarm_is_raised_with_its_time_and_cleared_after_some_looks_that_find_nothing() -> None:
    checked = Checked()
    told: list[tuple[str, bool]] = []
    alarms = Alarms(checked.watch, checked.world.clock)
    alarms.on_change.append(lambda alarm, raised: told.append((alarm.finding.code, raised)))
    checked.world.store.fail(FULL)
    alarms.start()
    checked.world.advance(INTERVAL)
    assert told == [("storeFailing", True)]
    since = alarms.raised[0].since

    checked.world.store.heal()
    for _ in range(CLEAR_AFTER - 1):
        checked.world.advance(INTERVAL)
    assert [each.since for each in alarms.raised] == [since]
    checked.world.advance(INTERVAL)

    assert alarms.raised == []
    assert told == [("storeFailing", True), ("storeFailing", False)]
    alarms.stop()


def test_what_comes_back_before_it_is_cleared_is_the_same_alarm() -> None:
    checked = Checked()
    alarms = Alarms(checked.watch, checked.world.clock, [conditions.store_fails])
    told: list[bool] = []
    alarms.on_change.append(lambda alarm, raised: told.append(raised))
    for _ in range(3):
        checked.world.store.fail(FULL)
        alarms.look()
        checked.world.store.heal()
        alarms.look()
    assert told == [True]


def test_condition_that_cannot_be_judged_keeps_nobody_from_hearing_of_the_others() -> None:
    def broken(watch: Watch, raised: bool) -> Finding | None:
        raise ZeroDivisionError

    checked = Checked()
    checked.world.store.fail(FULL)
    alarms = Alarms(checked.watch, checked.world.clock, [broken, conditions.store_fails])
    alarms.look()
    assert [each.finding.code for each in alarms.raised] == ["storeFailing"]


def test_worst_alarm_is_first() -> None:
    def found(code: str, severity: Severity) -> Finding:
        return Finding(code, severity, "", "", "")

    checked = Checked()
    alarms = Alarms(
        checked.watch,
        checked.world.clock,
        [lambda watch, raised: found("a", Severity.WARNING), lambda watch, raised: found("b", Severity.CRITICAL)],
    )
    alarms.look()
    codes: list[Alarm] = alarms.raised
    assert [each.finding.code for each in codes] == ["b", "a"]


def test_messages_that_died_are_told_for_ten_minutes() -> None:
    checked = Checked()
    queue = QueueQos("callback", max_entries=1)
    jack, joe = checked.world.client("jack", answers=False, queue=queue), checked.world.client("joe")
    jack.subscribe("news")
    checked.watch.look()
    for _ in range(3):
        joe.publish("news", b"x")
    checked.watch.look()
    finding = conditions.messages_die(checked.watch, False)
    assert finding is not None
    assert finding.evidence == {"overflow": 2}
    for _ in range(61):
        checked.world.advance(10)
        checked.watch.look()
    assert conditions.messages_die(checked.watch, False) is None


def test_reactor_that_is_late_is_told_for_five_minutes() -> None:
    checked = Checked()
    lag = checked.watch.sources.lag
    checked.watch.look()
    lag.seconds.observe(0.9)
    checked.watch.look()
    finding = conditions.reactor_is_slow(checked.watch, False)
    assert finding is not None
    assert finding.evidence == {"lagSeconds": 1.0}
    for _ in range(31):
        checked.world.advance(10)
        checked.watch.look()
    assert conditions.reactor_is_slow(checked.watch, False) is None


def test_clock_that_was_set_is_told() -> None:
    checked = Checked()
    wall = [0.0]
    watch = Watch(checked.watch.sources, wall=lambda: wall[0], monotonic=checked.world.clock.seconds)
    for step in (10, 10, 70):
        wall[0] += step
        checked.world.advance(10)
        watch.look()
    finding = conditions.clock_jumps(watch, False)
    assert finding is not None
    assert finding.evidence == {"jumpSeconds": 60.0}


def test_memory_and_files_that_run_out_are_told_and_stay_told_a_little_below_the_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watch = Checked().watch
    monkeypatch.setattr(memory, "limit", lambda: 1000)
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (1000, 1000))
    for used, raised, told in ((840, False, False), (851, False, True), (840, True, True), (800, True, False)):
        monkeypatch.setattr(memory, "resident", lambda used=used: used)
        monkeypatch.setattr(conditions, "open_files", lambda used=used: used)
        assert (conditions.memory_is_high(watch, raised) is not None) == told
        assert (conditions.files_run_out(watch, raised) is not None) == told


def test_diagnosis_has_nothing_to_say_of_a_good_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Checked().findings() == {}


def test_diagnosis_has_what_is_wrong_first_and_what_is_odd_last() -> None:
    checked = Checked(settings={"xmpp.anonymous": "true"})
    nearly_full(checked)
    checked.world.store.fail(FULL)
    found = checked.findings()
    assert list(found) == ["storeFailing", "queueNearlyFull", "insecureSetting", "fullestQueues"]
    assert found["fullestQueues"]["evidence"] == {"jack/1": 0.9}


def test_diagnosis_names_settings_that_are_unknown_or_insecure() -> None:
    found = Checked(settings={"admin.users": "", "nonsens": "1", "log.level[broker.core]": "debug"}).findings()
    assert {"unknownProperties", "noAdministrator", "debugLog"} <= set(found)
    assert "nonsens" in found["unknownProperties"]["evidence"]


def test_diagnosis_tells_of_messages_that_come_back_and_queries_that_match_nothing() -> None:
    checked = Checked()
    jack, joe = checked.world.client("jack/1", answers=False, persistent=True), checked.world.client("joe")
    jack.subscribe("news")
    jack.subscribe(key="<key queryType='XPATH'>//nothing</key>")
    joe.publish("news", b"x")
    jack.session.queue.peek(1)
    for _ in range(diagnosis.TOO_OFTEN + 1):
        jack.lose_connection()
        jack = checked.world.client("jack/1", answers=False, persistent=True)
    jack.lose_connection()
    assert {"redeliveredOften", "idleSubscriptions"} <= set(checked.findings())


def test_diagnosis_is_for_monitoring_and_served_before_there_is_a_core() -> None:
    assert Checked(uid=None).ask("/api/v1/diagnose").status == 401
    checked = Checked(uid=STRANGER)
    checked.desk.fake.run_levels.level = 1
    assert checked.ask("/api/v1/diagnose").status == 200


def test_account_with_the_role_is_an_administrator() -> None:
    checked = Checked(settings={"admin.users": ""})
    checked.world.node.roles["ann"] = "administrator"
    assert "noAdministrator" not in checked.findings()
