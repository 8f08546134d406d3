"""Whatever an administrator changes leaves exactly one line in the audit, over whatever way."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs

from broker.admin.node import node_attributes
from broker.admin.session import session_attributes
from broker.admin.subject import subject_attributes
from broker.admin.subscription import subscription_attributes
from broker.admin.topic import topic_attributes
from broker.app import Application
from broker.auth.htpasswd import HtpasswdFile
from broker.cli.main import main
from broker.config.properties import Properties
from broker.manager.service import Manager
from broker.model.records import AccountRecord, DocumentRecord
from tests.admin.office import BOSS, Office, query
from tests.auth.support import InlineExecutor, result_of
from tests.effects.test_rights import ITEMS, OWNED, Scene
from tests.effects.tongues import TONGUES
from tests.logs.audit_lines import audit_lines

ARGUMENTS = {
    "acceptWrongSenderAddress": "true",
    "addRemoteProperty": "pin&1",
    "blockClientLogin": "true",
    "blockClientSessionLogin": "true",
    "clearRemotePropertiesStartingWith": "p",
    "dispatcherActive": "false",
    "runlevel": "6",
    "sessionTimeout": "1000",
    "subscribe": "b",
    "unSubscribe": "a",
    "unSubscribeByIndex": "0",
    "unSubscribeBySessionName": "client/joe/1",
}
"""Of administrative messages that need one; for the others ``1`` will do."""


def commands() -> Iterator[str]:
    """Every administrative message that changes something, as the tables of attributes have them."""
    office = Office(BOSS)
    broker, asking = office.world.broker, office.client("boss/1").session
    of_node = node_attributes(broker, None, lambda levels: None, office.properties, "", office.last_lines)  # type: ignore[arg-type]
    for context, attributes in (
        ("", of_node),
        ("client/joe/", subject_attributes(broker, asking)),
        ("client/joe/1/", session_attributes(broker, asking)),
        ("topic/a/", topic_attributes(broker, asking)),
        ("subscription/ID/", subscription_attributes(broker, asking)),
    ):
        yield from (f"{context}?{name}={ARGUMENTS.get(name, '1')}" for name in attributes.changeable)
    yield "sysprop/?session.timeout=5s"
    yield "logging/?broker.core=FINE"
    yield "__sys__remoteProperties"


def office_with_joe() -> tuple[Office, str]:
    """A broker with joe's session and subscription, whose id is the second."""
    office = Office(BOSS)
    joe = office.client("joe/1")
    joe.publish("a", b"1")
    return office, joe.subscribe("a").id


@pytest.mark.parametrize("command", [*commands()])
def test_each_administrative_message_that_changes_something_leaves_one_line(command: str) -> None:
    office, id = office_with_joe()
    boss = office.client("boss/1")
    qos = "<qos><clientProperty name='__sessionName'>client/joe/1</clientProperty></qos>"
    with capturedLogs() as logged:
        office.set(boss, command.replace("ID", id), b"set", qos if command.startswith("__sys") else "<qos/>")
    (line,) = audit_lines(logged)
    assert " principal=boss via=__cmd " in line
    assert line.endswith(" outcome=done")


@pytest.mark.parametrize(
    "command",
    ["client/joe/?peekSubjectMessages", "client/joe/1/?peekCallbackMessages", "topic/a/?peekHistoryMessages"],
)
def test_taking_messages_out_of_a_queue_leaves_one_line(command: str) -> None:
    office, _ = office_with_joe()
    boss = office.client("boss/1")
    with capturedLogs() as logged:
        office.world.run(office.ask(boss, f"__cmd:{command}", query("maxEntries=1&consumable=true")))
    (line,) = audit_lines(logged)
    assert " principal=boss via=__cmd " in line


@pytest.mark.parametrize(
    ("make", "effect"),
    [(make, effect) for effect in (*OWNED, *ITEMS) for make in TONGUES if hasattr(make, effect)],
)
def test_what_an_administrator_does_to_topics_and_items_of_others_leaves_one_line(make: type, effect: str) -> None:
    scene = Scene(make, effect, "mary", administrator=True)
    with capturedLogs() as logged:
        assert scene.ask(effect)
    (line,) = audit_lines(logged)
    action = "item.administer" if effect in ITEMS else "topic.administer"
    assert line.startswith(f"{action} principal=joe via=")
    assert " target=topic/t owner=mary" in line


def test_what_an_administrator_does_to_topics_of_the_broker_leaves_one_line() -> None:
    office, _ = office_with_joe()
    boss = office.client("boss/1")
    boss.publish("__sys__deadMessage", b"1")
    with capturedLogs() as logged:
        boss.erase("__sys__deadMessage")
    (line,) = audit_lines(logged)
    assert line.startswith("topic.administer principal=boss via=native ")
    assert line.endswith(" target=topic/__sys__deadMessage")


class TestAccounts:
    """Changes that ``broker user`` makes are in the audit of the broker that runs on the database, or will."""

    ACTIONS = ("add", "passwd", "remove")

    def test_each_change_leaves_one_line_with_who_made_it_and_when(
        self, data_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("broker.cli.user.ask_password", lambda prompt: "a secret")
        monkeypatch.setattr("broker.cli.user.who_am_i", lambda: "root")
        assert [main(["--data", str(data_dir), "user", each, "joe"]) for each in self.ACTIONS] == [0, 0, 0]
        with closing(sqlite3.connect(data_dir / "broker.db")) as connection:
            rows = connection.execute("SELECT owner, kind, name, data, expires FROM document").fetchall()

        office = Office()
        for row in rows:
            office.world.store.tables.put_document(DocumentRecord(*row))
        assert self._lines(office) == [
            f"user.{each} principal=root via=command target=joe at=* outcome=done" for each in self.ACTIONS
        ]

    def test_a_change_that_has_no_effect_yet_has_no_line_nor_have_those_behind_it(self) -> None:
        office = Office()
        world = office.world
        failing = True

        async def remove_more(name: str) -> None:
            if failing:
                raise ValueError("spoilt")

        world.broker.account_changes.on_removed.append(remove_more)
        world.run(world.store.put_account(record("joe")))
        world.run(world.store.delete_account("joe"))
        world.run(world.store.put_account(record("joe")))
        assert [line.partition(" ")[0] for line in self._lines(office)] == ["user.add"]
        failing = False
        assert [line.partition(" ")[0] for line in self._lines(office)] == ["user.remove", "user.add"]

    def _lines(self, office: Office) -> list[str]:
        with capturedLogs() as logged:
            office.world.run(office.world.broker.account_changes.apply())
        words = [line.split() for line in audit_lines(logged)]
        return [" ".join("at=*" if each.startswith("at=2") else each for each in line) for line in words]


def record(name: str) -> AccountRecord:
    """An account."""
    return AccountRecord(name, "4096$MTEx$c3Rv$c2Vy", "4096$MTEx$c3Rv$c2Vy", 0)


class TestHtpasswd:
    """An htpasswd file that somebody has changed."""

    def test_a_file_that_is_read_again_because_it_has_changed_leaves_one_line(self, tmp_path: Path) -> None:
        path = tmp_path / "htpasswd"
        path.write_text("joe:1")
        file = HtpasswdFile(path, InlineExecutor())
        with capturedLogs() as logged:
            for text, time in (("joe:2", 1), ("joe:3", 2)):
                path.write_text(text)
                os.utime(path, ns=(time, time))
                for _ in range(2):
                    result_of(Deferred.fromCoroutine(file.refresh()))
        assert audit_lines(logged) == [f"htpasswd.change via=file target={path} outcome=done"] * 2

    def test_a_reload_has_a_line_of_its_own_already(self, tmp_path: Path) -> None:
        path = tmp_path / "htpasswd"
        path.write_text("joe:1")
        file = HtpasswdFile(path, InlineExecutor())
        with capturedLogs() as logged:
            assert result_of(Deferred.fromCoroutine(file.reload()))
        assert audit_lines(logged) == []


SIGNALS: dict[str, Callable[[Application | Manager], object]] = {
    "reload": lambda program: program.reload(),
    "stop": lambda program: program.stopService(),
}


@pytest.mark.parametrize("action", SIGNALS)
@pytest.mark.parametrize("program", ["broker", "manager"])
def test_each_signal_leaves_one_line(program: str, action: str, tmp_path: Path) -> None:
    reactor = MemoryReactorClock()
    served = (
        Application(tmp_path, Properties([]), None, reactor)
        if program == "broker"
        else Manager(tmp_path, Properties([]), reactor)
    )
    with capturedLogs() as logged:
        SIGNALS[action](served)
    (line,) = audit_lines(logged)
    assert line.startswith(f"{action} via=signal")
