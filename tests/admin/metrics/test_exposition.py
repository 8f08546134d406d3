"""What ``/metrics`` tells."""

from __future__ import annotations

import os
import re
from http import HTTPStatus
from itertools import count
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families
from twisted.internet.task import Clock

from broker.admin.api.metrics import metrics_operations, object_metrics_operations
from broker.admin.bursts import PER_SECOND
from broker.admin.event_log import EventLog
from broker.admin.followers import Kind, Principal
from broker.admin.metrics.named_objects import read_named
from broker.admin.metrics.table import METRICS, write
from broker.auth.services import SecurityServices
from broker.auth.throttle import LoginThrottle
from broker.core.counters import FailureClass
from broker.core.dead_letters import DeadGroup, group_of
from broker.errors import BrokerError, Code
from broker.exposition.metric import Type
from broker.model.qos import Overflow, QueueQos
from broker.net.admission import Refusal
from broker.net.limits import Limits
from broker.net.listener import Listener
from broker.net.read_pauses import Pause, ReadPauses
from broker.net.transport import TransportSettings
from broker.net.turns import Turns
from tests.admin.api.desk import STRANGER, Desk
from tests.admin.metrics.readings import Readings
from tests.auth.support import result_of
from tests.auth.test_services import Scripted
from tests.net.http.conversation import Received

DOCUMENT = Path(__file__).parents[3] / "docs" / "metrics.md"
MOST_SERIES = 600


def readings_with_a_listener() -> Readings:
    readings = Readings()
    clock = readings.desk.world.clock
    settings = TransportSettings(clock, Turns(clock), Limits(max_connections=2))
    readings.desk.fake.doors.append(("SOCKET", Listener(lambda connection, host: None, settings)))  # type: ignore[arg-type, return-value]
    return readings


def populate(readings: Readings, count: int) -> None:
    world = readings.desk.world
    for number in range(count):
        client = world.client(f"user{number}")
        client.subscribe(f"topic{number}")
        client.publish(f"topic{number}", b"x")
    world.turn()
    readings.count()


def test_document_is_what_the_table_says() -> None:
    assert DOCUMENT.read_text("utf-8") == write(), "run: python -m broker.admin.metrics.table > docs/metrics.md"


def test_names_say_prefix_unit_and_kind() -> None:
    for metric in METRICS:
        assert re.fullmatch(r"broker_[a-z_]+", metric.name)
        assert metric.name.endswith("_total") == (metric.type is Type.COUNTER)


def test_every_metric_of_the_table_is_exposed_and_no_other_of_the_broker() -> None:
    text, _ = Readings().exposition.write()
    exposed = set(re.findall(r"^# TYPE (broker_\w+) ", text.decode(), re.MULTILINE))
    assert exposed == {metric.name for metric in METRICS}


def test_series_are_the_same_and_few_whatever_there_is() -> None:
    readings = readings_with_a_listener()
    empty = set(readings.series())

    populate(readings, 50)

    assert set(readings.series()) == empty
    assert len(empty) <= MOST_SERIES


def test_no_name_of_a_client_or_topic_is_told() -> None:
    readings = Readings()
    populate(readings, 3)
    text, _ = readings.exposition.write()
    assert b"user1" not in text
    assert b"topic1" not in text


def test_process_and_python_are_told_too() -> None:
    names = {name for name, _ in Readings().series()}
    assert {"process_resident_memory_bytes", "process_open_fds", "python_info"} <= names


def test_openmetrics_is_for_who_asks_for_it() -> None:
    readings = Readings()
    text, media_type = readings.exposition.write("application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
    assert media_type == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert {family.name for family in read_openmetrics(text.decode())} >= {"broker_ready", "broker_messages_published"}
    assert readings.exposition.write("text/plain")[1] == "text/plain; version=0.0.4; charset=utf-8"


def test_before_there_is_a_core_the_rest_is_told() -> None:
    desk = Desk(settings={"db.url": "memory:"})
    desk.fake.run_levels.level = 1
    readings = Readings(desk)
    assert readings.value("broker_run_level") == 1
    assert readings.value("broker_ready") == 0
    assert not [name for name, _ in readings.series() if name == "broker_messages_published_total"]


@pytest.mark.parametrize("uid", [0, STRANGER])
def test_metrics_are_for_monitoring(uid: int) -> None:
    desk = Desk(uid=uid, settings={"db.url": "memory:"})
    answer = desk.ask(metrics_operations(Readings(desk).exposition), "/metrics")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert [family for family in text_string_to_metric_families(answer.body.decode()) if family.name == "broker_ready"]


def test_nobody_else_sees_them() -> None:
    desk = Desk(uid=None, settings={"db.url": "memory:"})
    assert desk.ask(metrics_operations(Readings(desk).exposition), "/metrics").status == 401


def test_published_and_delivered_messages_are_counted_by_protocol() -> None:
    readings = Readings()
    world = readings.desk.world
    jack, joe = world.client("jack"), world.client("joe")
    jack.subscribe("news")
    joe.publish("news", b"12345", "<qos><persistent/></qos>")
    joe.publish("news", b"1")
    world.turn()

    assert readings.value("broker_messages_published_total", protocol="native", persistence="persistent") == 1
    assert readings.value("broker_messages_published_total", protocol="native", persistence="transient") == 1
    assert readings.value("broker_message_bytes_published_total", protocol="native") == 6
    assert readings.value("broker_messages_delivered_total", protocol="native") == 2
    assert readings.value("broker_messages_acknowledged_total", protocol="native") == 2
    assert readings.value("broker_messages_published_total", protocol="xmpp", persistence="transient") == 0


def test_counters_do_not_fall_when_sessions_end() -> None:
    readings = Readings()
    world = readings.desk.world
    joe = world.client("joe")
    for _ in range(20):
        joe.publish("news", b"x")
    started = readings.value("broker_sessions_started_total", kind="native")

    joe.disconnect()

    assert readings.value("broker_messages_published_total", protocol="native", persistence="transient") == 20
    assert readings.value("broker_sessions_started_total", kind="native") == started
    assert readings.value("broker_sessions_ended_total", kind="native") == 1


def test_queues_sessions_topics_and_subscriptions_are_counted() -> None:
    readings = Readings()
    world = readings.desk.world
    jack, joe = world.client("jack", answers=False), world.client("joe")
    jack.subscribe("news")
    for _ in range(3):
        joe.publish("news", b"x" * 100)
    world.advance(5)

    readings.count()

    assert readings.value("broker_sessions", kind="native", state="attached") == 2
    assert readings.value("broker_topics", state="ALIVE") == 1
    assert readings.value("broker_subscriptions", kind="EXACT") == 1
    assert readings.value("broker_queue_entries", relating="callback", place="memory") == 3
    assert readings.value("broker_queue_bytes", relating="callback", place="memory") == 900
    assert readings.value("broker_queue_entries", relating="callback", place="disk") == 0
    assert readings.value("broker_queue_entries", relating="history", place="memory") == 3
    assert readings.value("broker_queue_oldest_entry_seconds", relating="callback") == 5
    assert readings.value("broker_queues_filled", relating="callback", above="0.5") == 0


def test_entries_on_disk_are_told_apart() -> None:
    readings = Readings()
    world = readings.desk.world
    jack, joe = (
        world.client("jack", answers=False, queue=QueueQos("callback", max_entries_cache=2)),
        world.client("joe"),
    )
    jack.subscribe("news")
    for _ in range(5):
        joe.publish("news", b"x")
    readings.count()
    assert readings.value("broker_queue_entries", relating="callback", place="memory") == 2
    assert readings.value("broker_queue_entries", relating="callback", place="disk") == 3


def test_queues_that_are_nearly_full_are_counted() -> None:
    readings = Readings()
    world = readings.desk.world
    jack, joe = world.client("jack", answers=False, queue=QueueQos("callback", max_entries=10)), world.client("joe")
    jack.subscribe("news")
    for _ in range(9):
        joe.publish("news", b"x")
    readings.count()
    found = {
        above: readings.value("broker_queues_filled", relating="callback", above=above) for above in ("0.5", "0.9", "1")
    }
    assert found == {"0.5": 1, "0.9": 1, "1": 0}


@pytest.mark.parametrize(
    ("code", "group"),
    [
        (Code.RESOURCE_OVERFLOW_BYTES, DeadGroup.OVERFLOW),
        (Code.RESOURCE_EXHAUST, DeadGroup.BUDGET),
        (Code.COMMUNICATION_DEAD, DeadGroup.RECEIVER_GONE),
        (Code.USER_NOT_CONNECTED, DeadGroup.RECEIVER_GONE),
        (Code.USER_MESSAGE_INVALID, DeadGroup.FILTER),
        (Code.USER_UPDATE_ERROR, DeadGroup.REFUSED_BY_CLIENT),
        ("user.whatever.a.client.says", DeadGroup.REFUSED_BY_CLIENT),
        ("nonsense", DeadGroup.INTERNAL),
    ],
)
def test_reasons_of_dead_messages_have_a_group(code: str, group: DeadGroup) -> None:
    assert group_of(BrokerError(code, "why")) is group


def test_dead_messages_are_counted_by_group() -> None:
    readings = Readings()
    world = readings.desk.world
    jack, joe = world.client("jack", answers=False, queue=QueueQos("callback", max_entries=1)), world.client("joe")
    jack.subscribe("news")
    for _ in range(4):
        joe.publish("news", b"x")
    assert readings.value("broker_dead_messages_total", group="overflow") == 3


def test_connections_are_counted_by_listener_and_refusals_by_reason() -> None:
    readings = readings_with_a_listener()
    (_, listener) = readings.desk.fake.doors[0]
    for each in ("a", "b"):
        assert listener.admission.admits("192.0.2.7")
        listener.admission.opened(each, "192.0.2.7")
    listener.admission.logged_in("a")
    assert not listener.admission.admits("192.0.2.7")

    assert readings.value("broker_connections", listener="SOCKET", state="anonymous") == 1
    assert readings.value("broker_connections", listener="SOCKET", state="loggedIn") == 1
    assert readings.value("broker_connections_limit", listener="SOCKET") == 2
    assert readings.value("broker_connections_opened_total", listener="SOCKET") == 2
    refused = {
        each: readings.value("broker_connections_refused_total", listener="SOCKET", reason=each) for each in Refusal
    }
    assert refused == {"limit": 1, "strangers": 0, "pending": 0, "rate": 0, "draining": 0}


def test_store_that_cannot_commit_is_told_with_the_seconds() -> None:
    readings = Readings()
    readings.desk.world.store.fail(BrokerError(Code.RESOURCE_NO_MORE_SPACE, "full"))
    readings.desk.world.advance(7)
    assert readings.value("broker_store_failing") == 1
    assert readings.value("broker_store_failing_seconds") == 7


def test_lag_of_the_reactor_is_a_histogram_of_seconds() -> None:
    readings = Readings()
    clock = readings.desk.world.clock
    readings.lag.start()
    clock.advance(0.5)
    clock.advance(0.75)
    readings.lag.stop()

    assert readings.value("broker_reactor_lag_seconds_bucket", le="0.001") == 1
    assert readings.value("broker_reactor_lag_seconds_bucket", le="0.25") == 2
    assert readings.value("broker_reactor_lag_seconds_count") == 2
    assert readings.value("broker_reactor_lag_seconds_sum") == 0.25


def test_answers_of_administration_are_counted_by_class_and_status() -> None:
    readings = Readings()
    readings.http(None, HTTPStatus.NOT_FOUND, 0.002)

    assert readings.value("broker_http_requests_total", status="4xx", **{"class": "read"}) == 1
    assert readings.value("broker_http_request_seconds_count", **{"class": "read"}) == 1


def test_messages_that_receivers_may_have_got_before_are_counted_when_they_are_sent_again() -> None:
    readings = Readings()
    world = readings.desk.world
    jack, joe = world.client("jack/1", answers=False, persistent=True), world.client("joe")
    jack.subscribe("news")
    joe.publish("news", b"x")
    world.turn()
    assert readings.value("broker_messages_redelivered_total", protocol="native") == 0

    jack.lose_connection()
    world.client("jack/1", persistent=True)
    world.turn()

    assert readings.value("broker_messages_redelivered_total", protocol="native") == 1


def test_time_of_delivery_is_that_of_one_message_in_64() -> None:
    readings = Readings()
    world = readings.desk.world
    jack, joe = world.client("jack/1", answers=False), world.client("joe")
    jack.subscribe("news")
    for _ in range(128):
        joe.publish("news", b"x")
        world.advance(0.25)
        jack.outbound.acknowledge()
    assert readings.value("broker_delivery_seconds_count", protocol="native") == 2
    assert readings.value("broker_delivery_seconds_sum", protocol="native") == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("overflow", "reason"), [(Overflow.DISCARD, "discard"), (Overflow.DISCARD_OLDEST, "discardOldest")]
)
def test_messages_that_full_queues_drop_without_a_word_are_counted(overflow: Overflow, reason: str) -> None:
    readings = Readings()
    world = readings.desk.world
    queue = QueueQos("callback", max_entries=2, on_overflow=overflow)
    jack, joe = world.client("jack/1", persistent=True, queue=queue), world.client("joe")
    jack.subscribe("news")
    jack.lose_connection()
    for _ in range(5):
        joe.publish("news", b"x")
    assert readings.value("broker_messages_discarded_total", reason=reason) == 3


def test_messages_that_are_superseded_before_they_are_delivered_are_stale() -> None:
    readings = Readings()
    world = readings.desk.world
    jack, joe = world.client("jack/1", persistent=True), world.client("joe")
    jack.subscribe("news", "<qos><clientProperty name='__newestOnly'>true</clientProperty></qos>")
    jack.lose_connection()
    for _ in range(5):
        joe.publish("news", b"x")
    assert readings.value("broker_messages_discarded_total", reason="stale") == 4


def test_messages_whose_time_is_over_are_counted_in_histories_and_queues() -> None:
    readings = Readings()
    world = readings.desk.world
    jack, joe = world.client("jack/1", persistent=True), world.client("joe")
    jack.subscribe("news")
    jack.lose_connection()
    joe.publish("news", b"x", "<qos><expiration lifeTime='1000' forceDestroy='true'/></qos>")
    world.advance(2)
    assert readings.value("broker_messages_expired_total") == 1

    world.client("jack/1", persistent=True)
    world.turn()

    assert readings.value("broker_messages_expired_total") == 2


@pytest.mark.parametrize(
    ("code", "failure"),
    [
        (Code.USER_ILLEGAL_ARGUMENT, FailureClass.USER),
        (Code.RESOURCE_EXHAUST, FailureClass.RESOURCE),
        (Code.COMMUNICATION_DEAD, FailureClass.COMMUNICATION),
        (Code.INTERNAL_UNKNOWN, FailureClass.INTERNAL),
        ("nonsense", FailureClass.INTERNAL),
    ],
)
def test_requests_that_fail_are_counted_by_the_first_part_of_their_code(code: str, failure: FailureClass) -> None:
    readings = Readings()
    readings.desk.world.broker.registry.kinds["native"].traffic.refused(code)
    counted = {
        each: readings.value("broker_requests_failed_total", protocol="native", **{"class": each})
        for each in FailureClass
    }
    assert counted == {each: float(each is failure) for each in FailureClass}


def test_time_that_filters_take_is_counted_and_queries_that_get_none_of_it() -> None:
    readings = Readings()
    world = readings.desk.world
    ticks = count()
    world.broker.publisher.processor_time = world.node.interest.processor_time = lambda: float(next(ticks))
    jack, joe = world.client("jack"), world.client("joe")
    for name in "ab":
        jack.subscribe(key=f"<key queryType='XPATH'>//{name}</key>")
    joe.publish("news", b"x")
    assert readings.value("broker_filter_seconds_total") == 1
    assert readings.value("broker_xpath_budget_exceeded_total") == 1


def test_newest_backup_is_told_and_nothing_where_there_is_none(tmp_path: Path) -> None:
    readings = Readings()
    readings.desk.fake.data = tmp_path
    assert not [name for name, _ in readings.series() if name.startswith("broker_backup")]
    directory = tmp_path / "backups"
    directory.mkdir()
    for day, size in ((1, 5), (2, 7)):
        backup = directory / f"broker-2026010{day}T000000Z.db"
        backup.write_bytes(b"x" * size)
        os.utime(backup, (day, day))

    assert readings.value("broker_backup_last_success_timestamp_seconds") == 2
    assert readings.value("broker_backup_bytes") == 7


def test_connections_that_are_held_back_are_counted_by_why_until_they_are_read_from_or_gone() -> None:
    readings = readings_with_a_listener()
    (_, listener) = readings.desk.fake.doors[0]
    pauses = [ReadPauses(readings.desk.world.clock.seconds, listener.counts.held) for _ in range(2)]
    for each in pauses:
        each.add(None, Pause.BUSY)
        each.add(None, Pause.BUSY)
    pauses[0].remove(None, Pause.BUSY)
    pauses[1].add(None, Pause.STORE_BEHIND)
    held = "broker_connections_held_back"
    assert readings.value(held, listener="SOCKET", cause="busy") == 1
    assert readings.value(held, listener="SOCKET", cause="storeBehind") == 1
    pauses[1].end()
    assert readings.value(held, listener="SOCKET", cause="busy") == 0


def test_queues_that_let_nothing_go_are_counted_by_what_holds_them() -> None:
    readings = Readings()
    world = readings.desk.world
    jack, joe = world.client("jack", answers=False), world.client("joe")
    jack.subscribe("news")
    joe.publish("news", b"x")
    readings.count()
    assert readings.value("broker_queues_stuck", cause="unanswered") == 0
    world.advance(61)
    readings.count()
    assert readings.value("broker_queues_stuck", cause="unanswered") == 1


def test_subscriptions_are_counted_by_their_kind_until_they_end() -> None:
    readings = Readings()
    jack = readings.desk.world.client("jack")
    jack.subscribe("news")
    jack.subscribe(key="<key queryType='XPATH'>//a</key>")
    jack.subscribe(key="<key queryType='DOMAIN' domain='b'/>")
    readings.count()
    kinds = ("EXACT", "XPATH", "DOMAIN")
    assert [readings.value("broker_subscriptions", kind=each) for each in kinds] == [1, 1, 1]
    jack.disconnect()
    readings.count()
    assert [readings.value("broker_subscriptions", kind=each) for each in kinds] == [0, 0, 0]


def test_logins_are_timed_by_how_they_went() -> None:
    clock = Clock()
    services = SecurityServices(Scripted(), LoginThrottle(), clock)
    for outcome, seconds in (("succeeded", 0.02), ("failed", 0.2), ("dismiss", 0.2)):
        attempt = result_of(services.begin("joe", "127.0.0.1"))
        clock.advance(seconds)
        getattr(attempt, outcome)()
    readings = Readings()
    readings.desk.fake.logins = services.counts
    assert readings.value("broker_login_seconds_bucket", outcome="ok", le="0.025") == 1
    assert readings.value("broker_login_seconds_bucket", outcome="wrong", le="0.1") == 0
    assert readings.value("broker_login_seconds_count", outcome="error") == 1
    assert readings.value("broker_logins_total", outcome="error") == 1


def test_streams_and_tails_are_counted_while_they_are_there() -> None:
    readings = Readings()
    open_one = readings.followers.open
    open_one(Principal("joe", lambda: True), Kind.EVENTS, lambda stream: None)
    tail = open_one(Principal("joe", lambda: True), Kind.TAIL, lambda stream: None)
    assert (readings.value("broker_sse_streams"), readings.value("broker_tails")) == (2, 1)
    tail.end()
    assert (readings.value("broker_sse_streams"), readings.value("broker_tails")) == (1, 0)


def test_events_that_reach_nobody_are_counted() -> None:
    readings = Readings()
    events = readings.desk.world.node.events
    log = EventLog(events)
    log.start()
    for _ in range(PER_SECOND + 3):
        events.tell("admin/event/changed")
    assert readings.value("broker_events_dropped_total") == 3


def test_dead_messages_that_are_kept_are_counted() -> None:
    readings = Readings()
    world = readings.desk.world
    assert readings.value("broker_dead_messages_kept") == 0
    jack = world.client("jack", answers=False, queue=QueueQos("callback", max_entries=1))
    jack.subscribe("news")
    joe = world.client("joe")
    for _ in range(3):
        joe.publish("news", b"x", "<qos><persistent/></qos>")
    assert readings.value("broker_dead_messages_kept") == 2


class OfObjects:
    """Metrics of objects that a configuration names."""

    def __init__(self, named: str, uid: int | None = 0) -> None:
        self.desk = Desk(settings={"metrics.objects": named}, uid=uid)
        self.world = self.desk.world

    def ask(self) -> Received:
        return self.desk.ask(object_metrics_operations(self.desk.instance), "/metrics/objects")

    def values(self, name: str) -> dict[str, float]:
        families = text_string_to_metric_families(self.ask().body.decode())
        return {
            sample.labels["object"]: sample.value
            for family in families
            for sample in family.samples
            if sample.name == f"broker_object_{name}"
        }


def test_objects_that_are_named_have_series_and_no_others() -> None:
    objects = OfObjects("topic:news,queue:callback/ann~1,subject:ann,topic:nothing")
    ann, joe = objects.world.client("ann/1", answers=False), objects.world.client("joe/1")
    ann.subscribe("news")
    for _ in range(2):
        joe.publish("news", b"x")
    expected = {"topic:news": 2, "queue:callback/ann~1": 2, "subject:ann": 2, "topic:nothing": 0}
    assert objects.values("entries") == expected
    assert objects.values("sessions")["subject:ann"] == 1
    assert objects.values("subscriptions")["topic:news"] == 1
    assert objects.values("count")["topic:nothing"] == 0


def test_objects_of_a_pattern_are_one_series() -> None:
    objects = OfObjects("subject:an*,queue:*,topic:*")
    for name in ("ann/1", "andy/1", "bob/1"):
        objects.world.client(name).publish(name.partition("/")[0], b"x")
    assert objects.values("count") == {"subject:an*": 2, "queue:*": 9, "topic:*": 3}


@pytest.mark.parametrize("named", ["news", "topic:", "queue:callback/joe~-3", "topic:a*b", "odd:x", "topic:a," * 201])
def test_objects_that_cannot_be_named_are_refused(named: str) -> None:
    if named.count(",") > 200:
        named = ",".join(f"topic:{number}" for number in range(201))
    with pytest.raises(ValueError, match=r"is not|another one|at most|beginning"):
        read_named(named)


def test_metrics_of_objects_are_for_monitoring() -> None:
    assert OfObjects("topic:a", uid=STRANGER).ask().status == 200
    assert OfObjects("topic:a", uid=None).ask().status == 401
