"""The bundle has what helps, and neither contents nor secrets; with ``anonymise`` no names either."""

from __future__ import annotations

import json
import zipfile
from io import BytesIO

import pytest
from twisted.logger import Logger, LogLevel

from broker.admin.actions.change import ChangeDesk
from broker.admin.api.bundle import bundle_operations
from broker.admin.bundle.anonymiser import Anonymiser
from broker.admin.bundle.bundle import Bundler
from broker.admin.bundle.parts import findings_part, log_part
from broker.admin.census import Census
from broker.admin.findings.finding import Finding, Severity
from broker.admin.health import Health
from broker.admin.metrics.table import METRICS
from broker.admin.roles import SocketRole
from broker.admin.store_files import StoreFiles
from broker.admin.views.overview import Overview, overview
from broker.errors import BrokerError, Code
from broker.exposition.text import Exposition
from broker.logs.recent import MAX_LINES, RecentLines
from broker.model.records import AuditQuery
from tests.admin.api.desk import STRANGER, Desk
from tests.admin.sources import alarms_of, watch_of
from tests.net.http.conversation import Received

CONTENT, SECRET = "MARKER-CONTENT", "MARKER-SECRET"
NAMES = ("marker-account", "marker/topic", "MARKER-FILE")
SETTINGS = {
    "db.url": f"postgresql://joe:{SECRET}@db/broker",
    "admin.users": NAMES[0],
    "xmpp.managers.secret": SECRET,
    "xmpp.certificate": f"/etc/{NAMES[2]}.pem",
    "queue/callback/maxEntries": "7",
}
FILES = {
    "README.txt",
    "findings.json",
    "overview.json",
    "metrics.txt",
    "properties.json",
    "log.txt",
    "versions.json",
    "stacks.txt",
    "lag.json",
    "tables.json",
}


class Bundled:
    """A broker with markers planted wherever something could leak."""

    def __init__(self, uid: int | None = 0, role: SocketRole = SocketRole.MONITORING) -> None:
        self.desk = Desk(settings=SETTINGS, uid=uid, role=role)
        self.world = self.desk.world
        instance = self.desk.instance
        watch = watch_of(instance, census := Census(instance))
        files = StoreFiles(instance.properties, instance.data)
        alarms = alarms_of(instance, census)

        def tell(now: int) -> Overview:
            return overview(instance, Health(instance), census, files, alarms, now)

        bundler = Bundler(watch, Exposition(METRICS, watch.sources), tell)
        self.operations = bundle_operations(bundler, ChangeDesk(instance, self.desk.gate))
        account = NAMES[0]
        ann = self.world.client(f"{account}/1", answers=False)
        ann.subscribe(NAMES[1])
        joe = self.world.client("joe/1")
        for _ in range(3):
            joe.publish(NAMES[1], CONTENT.encode(), f"<qos><clientProperty name='x'>{CONTENT}</clientProperty></qos>")
        ann.lose_connection()  # dead messages of it
        log = Logger("broker.test", observer=self.desk.fake.recent_lines)
        log.warn("{name} did not answer for {seconds} s", name=f"client/{account}/1", seconds=17)
        log.info("{text}", text=f"dead message: {NAMES[1]}")

    def ask(self, body: object = None, **headers: str) -> Received:
        return self.desk.ask(self.operations, "/api/v1/diagnose/bundle", "POST", body, **headers)

    def files(self, *, anonymise: bool) -> dict[str, str]:
        answer = self.ask({"anonymise": anonymise})
        assert (answer.status, answer.headers["content-type"]) == (200, "application/zip"), answer.body
        with zipfile.ZipFile(BytesIO(answer.body)) as archive:
            return {name: archive.read(name).decode() for name in archive.namelist()}


@pytest.mark.parametrize("anonymise", [False, True])
def test_bundle_has_what_helps_and_neither_contents_nor_secrets(anonymise: bool) -> None:
    files = Bundled().files(anonymise=anonymise)
    assert set(files) == FILES
    for name, text in files.items():
        assert CONTENT not in text, name
        assert SECRET not in text, name
    assert json.loads(files["tables.json"])["session"] == 0
    assert "broker_messages_published_total" in files["metrics.txt"]
    assert "MainThread" in files["stacks.txt"]
    assert {"broker", "python", "packages"} <= set(json.loads(files["versions.json"]))


def test_names_are_told_unless_they_are_to_be_hidden() -> None:
    told = "".join(Bundled().files(anonymise=False).values())
    for name in NAMES:
        assert name in told


def test_hidden_names_are_nowhere() -> None:
    for file, text in Bundled().files(anonymise=True).items():
        for name in (*NAMES, "heron"):
            assert name not in text, file


def test_numbers_and_texts_of_the_program_stay_where_names_are_hidden() -> None:
    files = Bundled().files(anonymise=True)
    assert "[broker.test#warn] {name} did not answer for {seconds} s name=#" in files["log.txt"]
    assert "seconds=17" in files["log.txt"]
    assert {"name": "queue/callback/maxEntries", "value": "7"}.items() <= next(
        each for each in json.loads(files["properties.json"]) if each["name"] == "queue/callback/maxEntries"
    ).items()


def test_same_name_is_the_same_sign_in_one_bundle_and_another_in_the_next() -> None:
    one, other = Anonymiser(active=True), Anonymiser(active=True)
    assert one.text("joe") == one.text("joe") != other.text("joe")
    assert "joe" not in one.text("joe")


def test_evidence_of_findings_that_names_something_is_hidden() -> None:
    evidence: dict[str, int | float | str] = {"callback/joe~1": 17, "freeDiskBytes": 5, "listener": "DOOR"}
    finding = Finding("queuesFull", Severity.WARNING, "callback/joe~1 is full", "", "", evidence, "/x/joe", "docs/a.md")
    text = findings_part([finding], Anonymiser(active=True)).decode()
    (told,) = json.loads(text)
    assert "joe" not in text
    assert "DOOR" not in text
    assert (told["code"], told["evidence"]["freeDiskBytes"]) == ("queuesFull", 5)
    assert "callback/joe~1 is full" in findings_part([finding], Anonymiser(active=False)).decode()


def test_text_without_a_template_is_hidden_as_a_whole() -> None:
    lines = RecentLines()
    lines({"log_level": LogLevel.info, "log_namespace": "x", "log_format": "{text}", "text": "joe is here"})
    lines({"log_level": LogLevel.debug, "log_namespace": "x", "log_format": "debugging"})
    text = log_part(lines.all(), Anonymiser(active=True)).decode()
    assert "joe" not in text
    assert "debugging" not in text
    assert "joe is here" in log_part(lines.all(), Anonymiser(active=False)).decode()


def test_last_lines_of_the_log_are_kept_and_no_more() -> None:
    lines = RecentLines()
    for number in range(MAX_LINES + 5):
        lines({"log_level": LogLevel.info, "log_format": "{number}", "number": number, "log_time": 0.0})
    kept = lines.all()
    assert (len(kept), kept[0].fields) == (MAX_LINES, (("number", 5),))


@pytest.mark.parametrize(("uid", "status"), [(0, 200), (STRANGER, 403), (None, 401)])
def test_bundles_are_for_administrators(uid: int | None, status: int) -> None:
    assert Bundled(uid=uid).ask().status == status


def test_operators_get_none() -> None:
    assert Bundled(uid=STRANGER, role=SocketRole.OPERATOR).ask().status == 403


def test_bundle_is_written_down_before_it_is_told() -> None:
    bundled = Bundled()
    bundled.ask({"anonymise": True, "reason": "for support"})
    row = bundled.world.run(bundled.world.store.read_audit(AuditQuery()))[0]
    assert (row.action, row.parameters, row.reason) == ("diagnose.bundle", "anonymise=true", "for support")


def test_bundle_is_made_while_the_store_fails_without_the_numbers_of_its_rows() -> None:
    bundled = Bundled()
    bundled.world.store.fail(BrokerError(Code.RESOURCE_DB_UNAVAILABLE, "disk full"))
    bundled.world.turn()
    assert json.loads(bundled.files(anonymise=False)["tables.json"]) is None


def test_bundle_is_made_before_there_is_a_core() -> None:
    bundled = Bundled()
    bundled.desk.fake.run_levels.level = 1
    assert set(bundled.files(anonymise=True)) == FILES


@pytest.mark.parametrize("body", [{"anonymize": True}, {"anonymise": "yes"}, []])
def test_body_that_is_none_is_refused(body: object) -> None:
    assert Bundled().ask(body).status == 400
