"""Properties and levels of the log that are changed while the broker runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from broker.admin.actions.change import ChangeDesk
from broker.admin.actions.configuration import configuration_changes
from broker.admin.api.configuration import configuration_operations
from broker.admin.api.metrics import object_metrics_operations
from broker.admin.health import Health
from broker.admin.property_book import PropertyBook
from broker.config.declared import load
from broker.config.options import Effect
from broker.config.properties import Properties
from broker.config.runtime import FILE, RuntimeFile
from broker.config.syntax import Setting
from broker.core.configuration import settings_of
from broker.errors import BrokerError, Code
from broker.logs.settings import Level
from broker.xmpp.managers.settings import settings_of as manager_settings_of
from broker.xmpp.settings import CLIENT_CA
from broker.xmpp.settings import settings_of as xmpp_settings_of
from tests.admin.api.desk import STRANGER, Desk
from tests.net.http.conversation import Received

REGISTRY = load()


class Configured:
    """A broker whose properties can be changed."""

    def __init__(self, data: Path, settings: dict[str, str] | None = None, uid: int = 0) -> None:
        self.desk = Desk(settings=settings, uid=uid)
        self.fake = self.desk.fake
        self.book = self.fake.property_book = PropertyBook(self.fake.properties, RuntimeFile(data), REGISTRY)
        self.node = self.desk.world.node
        self.book.checks += [settings_of, xmpp_settings_of, manager_settings_of]
        self.book.listeners_of = lambda name: ["XMPP"]
        self.book.on_change.append(lambda: self.node.change_settings(settings_of(self.fake.properties)))

    def ask(self, path: str, method: str = "GET", body: Any = None) -> Received:
        instance = self.desk.instance
        operations = [
            *configuration_operations(instance),
            *configuration_changes(ChangeDesk(instance, self.desk.gate)),
        ]
        return self.desk.ask(operations, f"/api/v1/{path}", method, body=body)

    def put(self, name: str, value: str, **more: object) -> Received:
        return self.ask(f"properties/{quote(name, safe='')}", "PUT", {"value": value, **more})

    def row(self, name: str) -> Any:
        return self.ask(f"properties/{quote(name, safe='')}").json


@pytest.fixture
def configured(tmp_path: Path) -> Configured:
    return Configured(tmp_path)


def another(option_kind_label: str, text: str) -> str:
    """Some other text of the same kind."""
    if text in ("true", "false"):
        return "false" if text == "true" else "true"
    if option_kind_label.startswith("one of "):
        return next(each for each in option_kind_label.removeprefix("one of ").split(", ") if each != text)
    return str(int(text) + 1 if int(text) > 0 else 5000)


def test_property_says_what_it_is_and_where_that_comes_from(tmp_path: Path) -> None:
    configured = Configured(tmp_path, {"session.timeout": "5s", "maxEntries": "7"})
    row = configured.row("session.timeout")
    assert (row["value"], row["default"], row["source"], row["change"]) == ("5s", "86400000", "test", "newObjects")
    row = configured.row("queue/callback/maxEntries")
    assert (row["value"], row["form"]) == ("7", "maxEntries")
    assert configured.row("db.url")["source"] == "default"


def test_more_specific_setting_shadows_others(tmp_path: Path) -> None:
    configured = Configured(tmp_path, {"queue/callback/maxEntries": "7", "maxEntries": "9"})
    assert configured.row("queue/callback/maxEntries")["shadowed"] == [
        {"source": "test", "form": "maxEntries", "value": "9"}
    ]


def test_passwords_of_addresses_are_not_told(tmp_path: Path) -> None:
    configured = Configured(tmp_path, {"db.url": "postgresql://joe:1234@host/name"})
    answer = configured.ask("properties")
    assert b"1234" not in answer.body


EFFECTIVE = [each for each in REGISTRY if each.change in (Effect.NOW, Effect.NEW_OBJECTS)]
OF_OTHERS = (
    "health.storeGraceSeconds",
    "log.level",
    "account.minPasswordLength",
    "metrics.objects",
    "tls.watchSeconds",
)
"""They take effect in something else than the core; of each another test shows that."""
IN_SETTINGS = [each for each in EFFECTIVE if each.name not in OF_OTHERS]


@pytest.mark.parametrize("option", IN_SETTINGS, ids=lambda option: option.name)
def test_property_that_takes_effect_at_run_time_changes_the_settings_of_the_core(
    option: Any, configured: Configured
) -> None:
    before = configured.node.settings
    configured.node.settings = before = settings_of(configured.fake.properties)
    value = another(option.kind.label, option.kind.write(option.default))
    answer = configured.put(option.name, value)
    assert answer.status == 200, answer.body
    assert answer.json["value"] == value
    assert configured.node.settings != before


@pytest.mark.parametrize("option", [each for each in REGISTRY if each.change is Effect.RESTART], ids=lambda o: o.name)
def test_property_that_takes_effect_after_a_restart_is_refused_and_stays_as_it_was(
    option: Any, configured: Configured
) -> None:
    before = configured.row(option.name)
    answer = configured.put(option.name, option.kind.write(option.default))
    assert (answer.status, answer.json["code"]) == (409, "user.configuration")
    assert configured.row(option.name) == before


OF_LISTENERS = [each for each in REGISTRY if each.change is Effect.LISTENER]


def read_by_listeners(properties: Properties) -> object:
    """What listeners read when they are made."""
    return xmpp_settings_of(properties), manager_settings_of(properties), CLIENT_CA.get(properties)


ANOTHER = {
    "xmpp.managers.clientTls": "required",
    "modules.mod_stream_management.buffer_max": "7",
    "xmpp.managers.idle": "7s",
}
READ_WITH_OTHERS = ("xmpp.managers.secretFile", "xmpp.managers.clientTls", "xmpp.privateKey")
"""A file that is read for itself, and what has one value only that goes with all of ``xmpp.tls``."""


@pytest.mark.parametrize("option", OF_LISTENERS, ids=lambda option: option.name)
def test_property_of_listeners_says_which_and_waits_until_they_are_made_anew(
    option: Any, configured: Configured, tmp_path: Path
) -> None:
    before = read_by_listeners(configured.fake.properties)
    default = option.kind.write(option.default)
    value = ANOTHER.get(option.name) or ("192.0.2.7" if default == "" else another(option.kind.label, default))
    answer = configured.put(option.name, value)
    assert answer.status == 200, answer.body
    assert (answer.json["value"], answer.json["pending"], answer.json["listeners"]) == (value, value, ["XMPP"])
    configured.book.listeners_made()
    assert "pending" not in configured.row(option.name)
    if option.name not in READ_WITH_OTHERS:
        assert read_by_listeners(configured.fake.properties) != before


def test_every_property_has_a_class_whose_truth_is_shown_here() -> None:
    shown = {each.name for each in (*IN_SETTINGS, *OF_LISTENERS)}
    of_restart = {each.name for each in REGISTRY if each.change is Effect.RESTART}
    assert {each.name for each in REGISTRY} - shown - of_restart == set(OF_OTHERS)


def test_time_that_the_store_may_fail_is_another_at_once(configured: Configured) -> None:
    configured.desk.world.store.fail(BrokerError(Code.RESOURCE_NO_MORE_SPACE, "the disk is full"))
    configured.desk.world.advance(5)
    health = Health(configured.desk.instance)
    before = len(health.reasons())
    configured.book.set("health.storeGraceSeconds", "0", "test")
    assert len(health.reasons()) == before + 1


def test_objects_that_metrics_name_are_others_at_once(configured: Configured) -> None:
    configured.desk.world.client("joe/1").publish("news", b"x")
    operations = object_metrics_operations(configured.desk.instance)
    assert b"news" not in configured.desk.ask(operations, "/metrics/objects").body
    configured.book.set("metrics.objects", "topic:news", "test")
    assert b"news" in configured.desk.ask(operations, "/metrics/objects").body


def test_value_with_which_listeners_could_not_be_made_anew_is_refused(configured: Configured) -> None:
    assert configured.put("xmpp.managers.clientTls", "optional").status == 200
    answer = configured.put("xmpp.tls", "required")
    assert (answer.status, "xmpp.managers.clientTls" in answer.json["detail"]) == (409, True)
    assert configured.row("xmpp.tls")["value"] == "auto"


def test_value_that_is_refused_for_a_more_specific_one_is_not_kept_either(tmp_path: Path) -> None:
    configured = Configured(tmp_path, {"/node/broker/session.timeout": "7s"})
    assert configured.put("session.timeout", "5s", keep=True).status == 409
    assert RuntimeFile(tmp_path).read() == []


def test_new_sessions_have_the_timeout_that_was_set(configured: Configured) -> None:
    world = configured.desk.world
    configured.put("queue/callback/maxEntries", "7")
    assert world.client("joe").session.queue.limits.entries == 7


def test_memory_of_queues_and_quotas_of_accounts_are_changed_at_once(configured: Configured) -> None:
    joe = configured.desk.world.client("joe")
    configured.put("queue.cacheBytes", "1234")
    configured.put("account.maxTopics", "3")
    assert configured.node.cache_budget.most == 1234
    assert joe.session.subject.usage.limits.topics == 3


def test_messages_have_the_life_time_that_was_set_also_of_publishers_who_sent_the_same_before(
    configured: Configured,
) -> None:
    joe = configured.desk.world.client("joe")
    joe.publish("news", b"1")
    configured.put("message.lifeTime", "5s")
    joe.publish("news", b"2")
    newest = configured.node.topics["news"].history.newest
    assert newest is not None
    assert newest.expires == configured.node.now() + 5000


def test_what_is_kept_is_in_force_after_the_next_start_and_says_who_set_it(tmp_path: Path) -> None:
    configured = Configured(tmp_path)
    assert configured.put("session.timeout", "5s", keep=True).json["kept"] is True
    assert configured.put("db.url", "sqlite:///a b%c", keep=True).json["pending"] == "sqlite:///a b%c"
    assert configured.row("db.url")["source"] == "default"
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600

    properties = Properties([Setting("session.timeout", "7s", "command line")])
    loaded = RuntimeFile(tmp_path).load(properties)

    assert [each.name for each in loaded] == ["session.timeout", "db.url"]
    assert properties.text("session.timeout") == "5s"
    assert properties.text("db.url") == "sqlite:///a b%c"
    assert loaded[0].source.startswith("run time, by uid 0 by socket at 20")


@pytest.mark.parametrize("value", ["", " a ", "a\\b", "a=b # c", "ü€😀", "a\nb", "${x}", "#"])
def test_file_holds_any_text(value: str, tmp_path: Path) -> None:
    file = RuntimeFile(tmp_path)
    file.write([Setting("a.b/c", value, "run time, by joe")])
    assert file.read() == [Setting("a.b/c", value, "run time, by joe")]


def test_change_that_is_taken_back_leaves_what_files_say(tmp_path: Path) -> None:
    configured = Configured(tmp_path, {"session.timeout": "7s"})
    configured.put("session.timeout", "5s", keep=True)
    row = configured.ask("properties/session.timeout", "DELETE").json
    assert (row["value"], row["source"]) == ("7s", "test")
    assert configured.node.settings.session_timeout == 7000
    assert RuntimeFile(tmp_path).read() == []


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("session.timeout", "soon", 400),
        ("session.timout", "5s", 400),
        ("cluster.node.id", "other", 409),
    ],
)
def test_change_that_cannot_be_is_refused(name: str, value: str, status: int, configured: Configured) -> None:
    answer = configured.put(name, value, keep=True)
    assert answer.status == status
    assert configured.fake.properties.assigned() == ()


def test_change_that_something_more_specific_beats_is_refused(tmp_path: Path) -> None:
    configured = Configured(tmp_path, {"/node/broker/session.timeout": "7s"})
    answer = configured.put("session.timeout", "5s")
    assert answer.status == 409
    assert configured.fake.properties.text("session.timeout") == "7s"


def test_change_that_does_not_go_with_others_is_undone(configured: Configured) -> None:
    def refuse() -> None:
        raise BrokerError(Code.RESOURCE_CONFIGURATION, "no")

    configured.book.on_change.append(refuse)
    assert configured.put("session.timeout", "5s").status == 503
    assert configured.fake.properties.assigned() == ()


def test_what_was_set_at_run_time_is_told_apart(tmp_path: Path) -> None:
    configured = Configured(tmp_path, {"session.maxSessions": "3"})
    configured.put("session.timeout", "5s")
    names = [
        [each["name"] for each in configured.ask(f"properties?{query}").json["items"]]
        for query in ("changed=true", "drift=true")
    ]
    assert names == [["session.maxSessions", "session.timeout"], ["session.timeout"]]


def test_property_that_there_is_not_is_not_found_and_the_nearest_is_named(configured: Configured) -> None:
    answer = configured.ask("properties/session.timout")
    assert answer.status == 404
    assert "session.timeout" in answer.json["detail"]


def test_level_returns_by_itself(configured: Configured) -> None:
    levels = configured.fake.log_levels
    assert levels is not None
    answer = configured.ask("log-levels/broker.core", "PUT", {"level": "debug", "forSeconds": 2})
    assert (answer.status, answer.json["level"], answer.json["source"]) == (200, "debug", "run time"), answer.body
    assert levels.of("broker.core.node") is Level.DEBUG
    assert [each["namespace"] for each in configured.ask("log-levels").json["items"]] == ["", "broker.core"]

    configured.desk.world.advance(2)

    assert levels.of("broker.core.node") is Level.INFO
    assert [each["namespace"] for each in configured.ask("log-levels").json["items"]] == [""]


def test_level_that_is_set_again_returns_to_the_configured_one(configured: Configured) -> None:
    levels = configured.fake.log_levels
    assert levels is not None
    for level in ("debug", "warn"):
        configured.ask("log-levels/broker.core", "PUT", {"level": level, "forSeconds": 5})
        configured.desk.world.advance(3)
    assert levels.of("broker.core") is Level.WARN
    configured.desk.world.advance(3)
    assert levels.of("broker.core") is Level.INFO


def test_configured_level_that_changes_meanwhile_is_the_one_that_returns(configured: Configured) -> None:
    levels = configured.fake.log_levels
    assert levels is not None
    levels.set("", Level.DEBUG, 5)
    levels.configure("", Level.WARN)
    assert levels.of("broker.core") is Level.DEBUG
    configured.desk.world.advance(5)
    assert levels.of("broker.core") is Level.WARN


@pytest.mark.parametrize(
    ("namespace", "body"),
    [
        ("broker.core", {"level": "debug"}),
        ("broker.core", {"level": "debug", "forSeconds": 0}),
        ("broker.core", {"level": "debug", "forSeconds": 90_000}),
        ("broker.core", {"level": "loud", "forSeconds": 1}),
        ("broker.nothing", {"level": "warn"}),
    ],
)
def test_level_that_cannot_be_is_refused(namespace: str, body: dict[str, Any], configured: Configured) -> None:
    assert configured.ask(f"log-levels/{namespace}", "PUT", body).status == 400


def test_log_that_is_not_the_brokers_own_has_no_levels(configured: Configured) -> None:
    configured.fake.log_levels = None
    assert configured.ask("log-levels").status == 503
    assert configured.ask("log-levels/broker.core", "PUT", {"level": "warn"}).status == 503


def test_monitoring_reads_and_changes_nothing(tmp_path: Path) -> None:
    configured = Configured(tmp_path, uid=STRANGER)
    assert (configured.ask("properties").status, configured.ask("log-levels").status) == (200, 200)
    assert configured.put("session.timeout", "5s").status == 403
    assert configured.ask("log-levels/broker.core", "PUT", {"level": "warn"}).status == 403


def test_changes_are_in_the_audit(configured: Configured) -> None:
    configured.put("session.timeout", "5s", reason="test")
    audit = configured.desk.world.store.tables.audit.values()
    rows = [(row.action, row.target, json.loads(row.parameters)) for row in audit]
    assert rows == [("property.set", "properties/session.timeout", {"value": "5s", "keep": False})]
