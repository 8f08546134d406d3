"""Definitions: written down, and read in, all or nothing (operations §1.15)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from broker.admin.actions.change import ChangeDesk
from broker.admin.actions.definitions import definition_operations
from broker.admin.definitions.accounts import AccountSection
from broker.admin.pending_properties import PendingProperties
from broker.admin.property_book import PropertyBook
from broker.config.declared import load
from broker.config.runtime import RuntimeFile
from broker.core.asker import Asker
from broker.core.configuration import settings_of
from broker.logs.settings import Level
from broker.model.key import QueryKey, QueryKind
from broker.model.qos import QueryQos
from broker.model.records import BY_ADMINISTRATION, AccountRecord, AuditQuery, DocumentRecord
from broker.xmpp.accounts import BLOCKED, ROSTER, RosterItem
from tests.admin.api.desk import STRANGER, Desk
from tests.core.world import World, connect_qos
from tests.net.http.conversation import Received

VERIFIER = "4096$bWFya2Vy$bWFya2Vy$bWFya2Vy"
OTHER_VERIFIER = "4096$b3RoZXI=$b3RoZXI=$b3RoZXI="
REGISTRY = load()


class Defined:
    """A broker whose definitions are asked for and changed."""

    def __init__(self, data: Path, world: World | None = None, uid: int = 0) -> None:
        data.mkdir(exist_ok=True)
        self.desk = Desk(world, uid=uid)
        self.world = self.desk.world
        self.node, self.broker = self.world.node, self.world.broker
        fake = self.desk.fake
        self.book = fake.property_book = PropertyBook(fake.properties, RuntimeFile(data), REGISTRY)
        self.book.on_change.append(lambda: self.node.change_settings(settings_of(fake.properties)))
        carried = self.broker.documents.carried
        carried[ROSTER], carried[BLOCKED] = RosterItem.from_record, lambda record: None
        self.operations = definition_operations(ChangeDesk(self.desk.instance, self.desk.gate))
        self.world.run(self.broker.account_changes.read_roles())

    def ask(self, path: str, method: str = "GET", body: Any = None) -> Received:
        return self.desk.ask(self.operations, f"/api/v1/definitions{path}", method, body=body)

    def export(self, query: str = "?verifiers=true&pretty=lines") -> bytes:
        answer = self.ask(query)
        assert answer.status == 200, answer.body
        return answer.body

    def sections(self, query: str = "?verifiers=true") -> Any:
        return json.loads(self.export(query))["sections"]

    def take(self, document: Any, query: str = "") -> Received:
        answer = self.ask(query, "POST", document)
        self.world.turn()
        return answer

    def put(self, query: str = "", **sections: Any) -> Received:
        return self.take({"format": "broker-definitions/1", "sections": sections}, query)

    def account(self, name: str, role: str = "", verifier: str = VERIFIER) -> None:
        record = AccountRecord(name, verifier, verifier, 1, role)
        self.world.run(self.node.store.put_account(record, BY_ADMINISTRATION))
        self.world.run(self.broker.account_changes.apply())

    def rows(self) -> list[tuple[str, str, str]]:
        """What the store has but the audit."""
        tables = self.world.store.tables
        return [
            (name, str(key), str(row))
            for name in ("accounts", "subjects", "topics", "sessions", "subscriptions", "documents")
            for key, row in sorted(getattr(tables, name).items())
        ]


@pytest.fixture
def defined(tmp_path: Path) -> Defined:
    return Defined(tmp_path / "empty")


@pytest.fixture
def full(tmp_path: Path) -> Defined:
    """A broker that has something in each section."""
    found = Defined(tmp_path / "full")
    found.account("ann", "administrator")
    found.account("joe")
    control, node, asker = found.broker.control, found.node, Asker("test")
    control.limit_sessions(asker, node.subject("joe"), 3)
    control.block(asker, node.subject("mary"), True)
    ann = found.world.client("ann/1")
    ann.publish("news", b"x", "<qos><persistent/><topic destroyDelay='-1'><queue maxEntries='7'/></topic></qos>")
    ann.publish("city", b"x", "<qos><persistent/></qos>", "<key oid='city' domain='d'><c name='Bern'/></key>")
    found.world.run(found.world.login.connect(connect_qos("joe/1", persistent=True), "127.0.0.1"))
    joe = found.node.subjects["joe"].sessions[1]
    for key in ("<key oid='news'/>", "<key queryType='XPATH'>//c[@name='Bern']</key>"):
        found.world.run(found.world.requests.subscribe(joe, key.encode(), b"<qos><persistent/></qos>"))
    of_account = found.broker.subscribe_account(
        ann.session, QueryKey(QueryKind.EXACT, "city"), QueryQos(persistent=True)
    )
    found.world.run(of_account)
    found.broker.documents.put("joe", ROSTER, "ann@example.org", RosterItem("ann@example.org", "Ann").to_bytes())
    found.broker.documents.put("joe", BLOCKED, "eve@example.org", b"")
    found.book.set("session.timeout", "5s", "test", keep=True)
    assert found.desk.fake.log_levels is not None
    found.desk.fake.log_levels.set("broker.core", Level.WARN)
    found.world.turn()
    return found


def test_import_into_an_empty_broker_exports_the_same_byte_by_byte(full: Defined, tmp_path: Path) -> None:
    exported = full.export()
    world = World(clock=full.world.clock)
    empty = Defined(tmp_path / "empty", world)
    answer = empty.take(json.loads(exported))
    assert answer.status == 200, answer.body
    assert answer.json["applied"] is True
    assert answer.json["counts"] == {"create": 11, "change": 0, "delete": 0, "unchanged": 0, "conflict": 0}
    assert empty.export() == exported


def test_second_import_writes_nothing(full: Defined) -> None:
    document = json.loads(full.export())
    before = full.rows()
    answer = full.take(document)
    assert answer.json["counts"] == {"create": 0, "change": 0, "delete": 0, "unchanged": 11, "conflict": 0}
    assert full.rows() == before


@pytest.mark.parametrize("verifiers", [True, False])
def test_one_conflict_applies_nothing_and_all_conflicts_are_told(
    full: Defined, tmp_path: Path, verifiers: bool
) -> None:
    document = json.loads(full.export(f"?verifiers={str(verifiers).lower()}"))
    document["sections"]["topics"].append({"oid": "bad", "key": "<key oid='other'/>", "qos": "<qos/>"})
    document["sections"]["properties"].append({"name": "session.timout", "value": "5s"})
    empty = Defined(tmp_path / "empty", World(clock=full.world.clock))
    before = empty.rows()
    answer = empty.take(document)
    assert answer.status == 409
    accounts = [] if verifiers else ["/sections/accounts/ann", "/sections/accounts/joe"]
    pointers = [each["pointer"] for each in answer.json["errors"]]
    assert pointers == [*accounts, "/sections/topics/bad", "/sections/properties/session.timout"]
    assert empty.rows() == before
    assert empty.book.kept() == {}


def test_what_is_imported_outlives_a_crash(full: Defined, tmp_path: Path) -> None:
    document = json.loads(full.export())
    empty = Defined(tmp_path / "empty", World(clock=full.world.clock))
    empty.take(document)
    world = empty.world.crash()
    session = world.node.subjects["joe"].sessions[1]
    assert (session.persistent, len(session.subscriptions)) == (True, 2)
    assert world.node.topics["news"].history.limits.entries == 7
    assert world.node.subjects["mary"].blocked
    assert world.node.subjects["joe"].session_limit == 3


def test_imported_subscription_gets_what_is_published_until_its_client_comes(full: Defined, tmp_path: Path) -> None:
    empty = Defined(tmp_path / "empty", World(clock=full.world.clock))
    empty.take(json.loads(full.export()))
    ann = empty.world.client("ann/2")
    ann.publish("city", b"hello", key="<key oid='city' domain='d'><c name='Bern'/></key>")
    joe = empty.world.client("joe/1")
    assert joe.contents == [b"hello"]


def test_dry_run_tells_what_would_be_and_changes_nothing(full: Defined) -> None:
    before = full.rows()
    answer = full.put(
        "?dryRun=true&mode=replace",
        accounts=[{"name": "ann", "role": "administrator"}, {"name": "joe", "blocked": True}, {"name": "zoe"}],
        topics=[],
    )
    assert answer.status == 200
    told = [(each["action"], each["kind"], each["name"]) for each in answer.json["changes"]]
    assert told == [
        ("unchanged", "accounts", "ann"),
        ("change", "accounts", "joe"),
        ("conflict", "accounts", "zoe"),
        ("delete", "topics", "city"),
        ("delete", "topics", "news"),
    ]
    assert answer.json["applied"] is False
    assert full.rows() == before
    assert VERIFIER.encode() not in answer.body


def test_merge_leaves_what_the_document_does_not_have(full: Defined) -> None:
    news = next(each for each in full.sections()["topics"] if each["oid"] == "news")
    changed = {**news, "qos": news["qos"].replace("maxEntries='7'", "maxEntries='9'").replace('="7"', '="9"')}
    answer = full.put(topics=[changed])
    assert answer.json["counts"]["change"] == 1, answer.body
    assert full.node.topics["news"].history.limits.entries == 9
    assert "city" in full.node.topics


def test_replace_deletes_in_the_named_sections_only(full: Defined) -> None:
    kept = full.sections()
    topics = [each for each in kept["topics"] if each["oid"] == "news"]
    answer = full.put("?mode=replace&sections=topics,properties", topics=topics, properties=[], accounts=[])
    assert answer.status == 200, answer.body
    assert sorted(full.sections()["topics"], key=str) == topics
    assert full.book.kept() == {}
    assert full.sections()["accounts"] == kept["accounts"]


def test_replaced_account_is_gone_with_all_that_is_its_own(full: Defined) -> None:
    accounts = [each for each in full.sections()["accounts"] if each["name"] == "ann"]
    assert full.put("?mode=replace", accounts=accounts).status == 200
    assert 1 not in full.node.subjects["joe"].sessions if "joe" in full.node.subjects else True
    assert full.sections()["xmpp"] == []


def test_last_administrator_is_not_deleted_or_lowered(full: Defined) -> None:
    full.node.settings = settings_of(full.desk.fake.properties)
    for accounts in ([], [{"name": "ann"}], [{"name": "ann", "role": "administrator", "blocked": True}]):
        answer = full.put("?mode=replace", accounts=[*accounts, {"name": "joe"}])
        assert (answer.status, answer.json["errors"][0]["detail"]) == (409, "no administrator would be left")


def test_who_imports_is_not_deleted(tmp_path: Path) -> None:
    defined = Defined(tmp_path)
    defined.account("ann", "administrator")
    section = AccountSection(defined.broker, None)
    found = defined.world.run(section.read())
    (row,) = [each.row for each in section.plan(Asker("ann"), found, [], replace=True)]
    assert (row.action, row.reason) == ("conflict", "it is who imports")


def test_changed_verifier_is_another_password_whose_clients_log_in_anew(full: Defined) -> None:
    ann = full.world.client("ann/5")
    full.put(
        accounts=[{"name": "ann", "role": "administrator", "scramSha1": OTHER_VERIFIER, "scramSha256": OTHER_VERIFIER}]
    )
    assert ann.outbound.closed
    record = full.world.run(full.node.store.get_account("ann"))
    assert record is not None
    assert (record.scram_sha_1, record.changed) == (OTHER_VERIFIER, full.node.now())


def test_changed_role_holds_at_once_and_ends_no_login(full: Defined) -> None:
    joe = full.world.client("joe/2")
    full.put(accounts=[{"name": "joe", "role": "operator", "maxSessions": 3}])
    assert full.node.roles["joe"] == "operator"
    assert not joe.outbound.closed


def test_readonly_topic_is_not_changed(full: Defined) -> None:
    full.node.topics["news"].config = full.node.topics["news"].config.__class__(readonly=True)
    answer = full.put(topics=[{"oid": "news", "key": "<key oid='news'/>", "qos": "<qos/>"}])
    assert (answer.status, answer.json["errors"][0]["detail"]) == (409, "the topic is readonly")


@pytest.mark.parametrize(
    ("section", "definition", "reason"),
    [
        ("accounts", {"name": "j"}, "at least"),
        ("accounts", {"name": "zoe", "scramSha1": "x", "scramSha256": "x"}, "verifier"),
        ("topics", {"oid": "__x", "key": "<key oid='__x'/>", "qos": "<qos/>"}, "reserved"),
        ("topics", {"oid": "x", "key": "<key oid='x'", "qos": "<qos/>"}, "key"),
        ("subscriptions", {"subject": "zoe", "kind": "xmpp", "subscriptions": []}, "not defined"),
        ("subscriptions", {"subject": "zoe", "kind": "native", "number": 1, "subscriptions": []}, "fail-safe"),
        ("xmpp", {"owner": "joe", "kind": "auth.changes", "name": "x"}, "nothing here keeps"),
        ("xmpp", {"owner": "__security", "kind": ROSTER, "name": "x@y", "text": "{}"}, "no name of an account"),
        ("xmpp", {"owner": "joe", "kind": ROSTER, "name": "x@y", "text": "[]"}, "contact"),
        ("properties", {"name": "session.timeout", "value": "soon"}, "session.timeout"),
        ("properties", {"name": "cluster.node.id", "value": "x"}, "node"),
        ("logLevels", {"namespace": "broker.nothing", "level": "warn"}, "no part"),
        ("logLevels", {"namespace": "broker.core", "level": "debug"}, "for a while"),
        ("subjects", {"name": "x"}, "login name"),
    ],
)
def test_what_cannot_be_is_a_conflict(defined: Defined, section: str, definition: Any, reason: str) -> None:
    answer = defined.take({"format": "broker-definitions/1", "sections": {section: [definition]}})
    assert answer.status == 409, answer.body
    assert reason in answer.json["errors"][0]["detail"]


def test_object_that_the_document_has_twice_is_a_conflict(defined: Defined) -> None:
    topic = {"oid": "x", "key": "<key oid='x'/>", "qos": "<qos/>"}
    assert defined.put(topics=[topic, topic]).status == 409


def test_limit_of_topics_is_checked_before_anything_is_made(defined: Defined) -> None:
    defined.desk.fake.properties.assign("topic.maxTopics", "1")
    defined.node.settings = defined.node.settings.__class__(max_topics=1)
    topics = [{"oid": name, "key": f"<key oid='{name}'/>", "qos": "<qos/>"} for name in ("x", "y")]
    answer = defined.put(topics=topics)
    assert (answer.status, len(answer.json["errors"])) == (409, 2)
    assert defined.node.topics == {}


def test_document_of_another_format_or_with_unknown_members_is_refused(defined: Defined) -> None:
    for document in (
        {"format": "broker-definitions/2", "sections": {}},
        {"format": "broker-definitions/1", "sections": {"queues": []}},
        {"format": "broker-definitions/1", "sections": {"topics": [{"oid": "x", "key": "", "qos": "", "more": 1}]}},
    ):
        assert defined.take(document).status == 400
    assert defined.ask("?sections=queues").status == 400


def test_export_has_no_verifier_that_was_not_asked_for_and_no_secret(full: Defined) -> None:
    session = full.node.subjects["joe"].sessions[1]
    assert VERIFIER.encode() not in full.export("")
    assert VERIFIER.encode() in full.export("?verifiers=true")
    assert session.secret_id.encode() not in full.export()


def test_schema_describes_what_is_exported(full: Defined) -> None:
    schema = full.ask("/schema").json
    validator = jsonschema_rs.Draft202012Validator(schema)
    validator.validate(json.loads(full.export()))
    with pytest.raises(jsonschema_rs.ValidationError):
        validator.validate({"format": "broker-definitions/1", "sections": {"topics": [{}]}})


def test_lines_have_an_object_each(full: Defined) -> None:
    lines = full.export("?sections=topics&pretty=lines").decode().splitlines()
    objects = [json.loads(line.rstrip(",")) for line in lines if line.startswith('{"')]
    assert [each["oid"] for each in objects] == ["city", "news"]
    assert json.loads(full.export("?sections=topics&pretty=lines")) == json.loads(full.export("?sections=topics"))


def test_only_administrators_read_and_change_definitions_and_both_are_in_the_audit(tmp_path: Path) -> None:
    monitoring = Defined(tmp_path, uid=STRANGER)
    assert monitoring.ask("").status == 403
    assert monitoring.put().status == 403
    boss = Defined(tmp_path)
    boss.export("?sections=accounts&verifiers=true")
    boss.put("?mode=replace&sections=topics", topics=[])
    rows = boss.world.run(boss.node.store.read_audit(AuditQuery()))
    assert [(row.action, row.parameters, row.outcome) for row in rows] == [
        ("definitions.import", "mode=replace sections=topics", "done"),
        ("definitions.export", "sections=accounts verifiers=true", "done"),
    ]


def test_properties_of_an_import_that_crashed_are_kept_by_the_next_start(tmp_path: Path) -> None:
    defined = Defined(tmp_path)
    PendingProperties(defined.world.broker.documents, defined.book).note("session.timeout", "5s", "ann by socket")
    defined.world.turn()
    again = Defined(tmp_path, defined.world.crash())
    again.world.run(PendingProperties(again.world.broker.documents, again.book).settle())
    assert [(each.name, each.value) for each in RuntimeFile(tmp_path).read()] == [("session.timeout", "5s")]
    again.world.turn()
    assert not [each for each in again.world.store.tables.documents if each[1] == "admin.properties"]


def test_documents_that_were_imported_are_told_to_those_who_keep_them_in_memory(full: Defined) -> None:
    told: list[list[str]] = []

    async def tell(owners: Any) -> None:
        told.append(sorted(owners))

    full.broker.documents.on_carried.append(tell)
    text = RosterItem("zoe@example.org").to_bytes().decode()
    full.put(xmpp=[{"owner": "joe", "kind": ROSTER, "name": "zoe@example.org", "text": text}])
    assert told == [["joe"]]
    found = full.world.run(full.broker.documents.read("joe", ROSTER))
    assert [each.name for each in found] == ["ann@example.org", "zoe@example.org"]
    assert isinstance(found[0], DocumentRecord)
