"""What holds for all administrative commands (spec xmlblaster §16.2)."""

from __future__ import annotations

from contextlib import suppress

import pytest
from twisted.logger import capturedLogs

from broker.admin.audit import HIDDEN
from broker.core.administration import Told
from broker.errors import BrokerError, Code
from broker.logs.settings import Level
from tests.admin.office import BOSS, Office
from tests.core.world import Client, World
from tests.logs.audit_lines import audit_lines


def code_of(office: Office, command: str, *, change: bool = False) -> Code | str:
    """How an administrator's command is refused."""
    boss = office.client("boss")
    with pytest.raises(BrokerError) as raised:
        (office.set if change else office.get)(boss, command)
    return raised.value.code


def test_answer_names_the_command_in_its_absolute_form() -> None:
    office = Office()
    joe = office.client("joe/1")
    for oid, answered in (
        ("__cmd:?nodeId", "__cmd:/node/heron/?nodeId"),
        ("__cmd:/node/heron/?nodeId", "__cmd:/node/heron/?nodeId"),
        ("__cmd:client/joe/?uptime", "__cmd:/node/heron/client/joe/?uptime"),
        ("__cmd:sysprop/?user.home", "/node/heron/sysprop/?user.home"),
    ):
        told = office.world.run(office.ask(joe, oid))
        assert isinstance(told, Told)
        assert told.oid == answered


@pytest.mark.parametrize(
    "command",
    [
        "?unknownXY",
        "client/boss/?unknown",
        "client/boss/1/?queue/callback/numOfEntries",
        "topic/a/?unknown",
        "nonsense",
    ],
)
def test_unknown_attribute_is_refused(command: str) -> None:
    office = Office(BOSS)
    boss = office.client("boss/1")
    boss.publish("a")
    with pytest.raises(BrokerError) as raised:
        office.get(boss, command)
    assert raised.value.code == Code.USER_ILLEGAL_ARGUMENT


def test_refusal_says_what_there_is() -> None:
    office = Office(BOSS)
    boss = office.client("boss")
    with pytest.raises(BrokerError, match=r"'uptimes' is not known of a node .* uptime") as raised:
        office.get(boss, "?uptimes")
    assert len(raised.value.location) < 300


def test_what_can_only_be_read_is_not_changed() -> None:
    assert code_of(Office(BOSS), "?nodeId=eagle", change=True) == Code.USER_ILLEGAL_ARGUMENT


def test_commands_can_be_switched_off() -> None:
    office = Office({"admin.messages": "false", **BOSS})
    assert code_of(office, "?nodeId") == Code.RESOURCE_ADMIN_UNAVAILABLE
    assert code_of(office, "?runlevel=3", change=True) == Code.RESOURCE_ADMIN_UNAVAILABLE


class TestLogLevels:
    def test_are_read_and_changed(self) -> None:
        office = Office(BOSS)
        boss = office.client("boss")
        assert office.get(boss, "logging/?broker.core") == "INFO"
        office.set(boss, "logging/?broker.core=FINE")
        assert office.get(boss, "logging/?broker.core") == "FINE"
        assert office.log_levels.of("broker.core.queues") is Level.DEBUG

    @pytest.mark.parametrize(
        ("name", "level"), [("WARNING", Level.WARN), ("severe", Level.ERROR), ("debug", Level.DEBUG)]
    )
    def test_have_the_names_of_clients_and_of_the_property(self, name: str, level: Level) -> None:
        office = Office(BOSS)
        office.set(office.client("boss"), f"logging/?broker.core={name}")
        assert office.log_levels.of("broker.core") is level

    @pytest.mark.parametrize("command", ["logging/?broker.core=LOUD", "logging/?org.xmlBlaster=FINE"])
    def test_that_would_have_no_effect_are_refused(self, command: str) -> None:
        assert code_of(Office(BOSS), command, change=True) == Code.USER_ILLEGAL_ARGUMENT

    def test_are_for_administrators(self) -> None:
        office = Office(BOSS)
        joe = office.client("joe")
        with pytest.raises(BrokerError):
            office.get(joe, "logging/?broker.core")
        with pytest.raises(BrokerError):
            office.set(joe, "logging/?broker.core=FINE")
        assert office.log_levels.of("broker.core") is Level.INFO


def audit(office: Office, client: Client, *commands: str) -> list[str]:
    """What the audit has of changes, whether they succeed or not."""
    with capturedLogs() as logged:
        for command in commands:
            with suppress(BrokerError):
                office.set(client, command)
    return audit_lines(logged)


def test_changes_of_an_administrator_leave_a_line_each_with_value_and_outcome() -> None:
    office = Office(BOSS)
    by = "principal=boss via=__cmd session=client/boss/1"
    assert audit(
        office,
        office.client("boss/1"),
        "client/boss/1/?sessionTimeout=77",
        "client/boss/1/?sessionTimeout=x",
        "?gc",
        "sysprop/?session.timeout=5s",
    ) == [
        f"session.sessionTimeout {by} target=client/boss/1 parameters=77 outcome=done",
        f"session.sessionTimeout {by} target=client/boss/1 parameters=x outcome=failed code=user.illegalArgument "
        "reason=\"'x' is not a number of at least -1\"",
        f"node.gc {by} outcome=done",
        f"sysprop.session.timeout {by} target=sysprop parameters=5s outcome=done",
    ]


def test_no_secret_is_in_the_audit() -> None:
    office = Office(BOSS)
    lines = audit(
        office,
        office.client("boss/1"),
        "client/boss/1/?addRemoteProperty=pin&1234",
        "sysprop/?db.password=1234",
        "sysprop/?db.url=postgresql://joe:1234@host/db",
    )
    assert len(lines) == 3
    assert "1234" not in "".join(lines)


def test_changes_that_others_may_not_make_are_counted() -> None:
    office = Office(BOSS)
    joe = office.client("joe/1")
    (line,) = audit(office, joe, *["client/boss/?killClient"] * 50)
    assert line.startswith("client.killClient principal=joe via=__cmd session=client/joe/1 target=client/boss outcome=")
    office.world.advance(61)
    (line,) = audit(office, joe, "client/boss/?killClient")
    assert line.endswith(" (and 49 more since the last line)")


def test_reading_leaves_no_line() -> None:
    office = Office(BOSS)
    boss = office.client("boss/1")
    with capturedLogs() as logged:
        office.get(boss, "?numClients")
    assert audit_lines(logged) == []


class TestProperties:
    def test_are_read(self) -> None:
        office = Office({"session.timeout": "5s", **BOSS})
        boss = office.client("boss")
        assert office.get(boss, "sysprop/?session.timeout") == "5s"
        assert office.get(boss, "sysprop/?unknown") == ""

    def test_are_set(self) -> None:
        office = Office({"session.timeout": "5s", **BOSS})
        boss = office.client("boss")
        published = office.set(boss, "sysprop/?session.timeout=7s")
        assert published.info == "/node/heron/sysprop/?session.timeout=7s"
        assert office.get(boss, "sysprop/?session.timeout") == "7s"

    @pytest.mark.parametrize(
        ("name", "code"),
        [("db.url=memory:", Code.USER_CONFIGURATION), ("session.timout=5s", Code.USER_ILLEGAL_ARGUMENT)],
    )
    def test_that_would_have_no_effect_are_refused(self, name: str, code: Code) -> None:
        office = Office(BOSS)
        boss = office.client("boss")
        with pytest.raises(BrokerError) as refused:
            office.set(boss, f"sysprop/?{name}")
        assert refused.value.code == code
        assert office.properties.assigned() == ()

    @pytest.mark.parametrize("name", ["plugin/mail/password", "a.secret", "myPasswd", "api.token"])
    def test_that_look_like_secrets_are_not_told(self, name: str) -> None:
        office = Office({name: "1234", **BOSS})
        assert office.get(office.client("boss"), f"sysprop/?{name}") == HIDDEN

    def test_that_name_a_file_of_secrets_are_told(self) -> None:
        name = "Security.Server.Plugin.htpasswd.secretfile"
        office = Office({name: "/etc/passwords", **BOSS})
        assert office.get(office.client("boss"), f"sysprop/?{name}") == "/etc/passwords"

    def test_passwords_in_addresses_are_not_told(self) -> None:
        office = Office({"db.url": "postgresql+psycopg://joe:1234@host/name", **BOSS})
        told = office.get(office.client("boss"), "sysprop/?db.url")
        assert told == f"postgresql+psycopg://joe:{HIDDEN}@host/name"


class TestOtherRequests:
    def test_refresh_finds_nothing_and_keeps_the_session(self) -> None:
        office = Office()
        joe = office.client("joe/1")
        assert office.world.run(office.ask(joe, "__refresh")) == []

    @pytest.mark.parametrize("oid", ["a", "__sys__UserList", "__sys__deadMessage"])
    def test_topics_are_left_to_get(self, oid: str) -> None:
        office = Office(BOSS)
        boss = office.client("boss/1")
        assert office.world.run(office.ask(boss, oid)) == []
        assert boss.get(oid) == []

    def test_broker_without_administration_says_so(self) -> None:
        world = World()
        joe = world.client("joe")
        office = Office(world=world)
        world.broker.commands = None
        with pytest.raises(BrokerError) as raised:
            office.set(joe, "?gc")
        assert raised.value.code == Code.RESOURCE_ADMIN_UNAVAILABLE
