"""The table of requirements is complete, and names tests that exist."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest

TESTS = Path(__file__).parent
TABLE = TESTS.parent / "docs" / "requirements.md"
STATES = ("yes", "partly", "no")

REQUIREMENTS = [
    "admin",
    "admin.checkpoint",
    "admin.commands",
    "admin.errorcodes",
    "admin.errorHandling",
    "admin.events",
    "admin.http",
    "admin.jmx",
    "admin.logging",
    "admin.messages",
    "admin.startupTasks",
    "admin.telnet",
    "client.c.queue",
    "client.c.socket",
    "client.cache",
    "client.callback.authenticate",
    "client.configuration",
    "client.cpp",
    "client.cpp.failsafe",
    "client.cpp.logging",
    "client.cpp.protocol",
    "client.cpp.queue",
    "client.cpp.socket",
    "client.csharp",
    "client.failsafe",
    "client.failsafe.ping",
    "client.perl",
    "client.php",
    "client.python",
    "client.python.xmlrpc",
    "client.script",
    "client.subscribe.dispatch",
    "cluster",
    "cluster.dirtyRead",
    "cluster.PtP",
    "contrib.dbwatcher",
    "contrib.dbwriter",
    "contrib.filewatcher",
    "contrib.filewriter",
    "contrib.replication",
    "contrib.scheduler",
    "dispatch.control.plugin",
    "dispatch.plugin.priorizedDispatch",
    "engine.callback",
    "engine.get.no",
    "engine.message",
    "engine.message.lifecycle",
    "engine.persistence",
    "engine.persistence.session",
    "engine.persistence.subscription",
    "engine.qos.clientProperty",
    "engine.qos.login.callback",
    "engine.qos.login.session",
    "engine.qos.publish.destination.ForceQueuing",
    "engine.qos.publish.destination.offline",
    "engine.qos.publish.destination.PtP",
    "engine.qos.publish.forceUpdate",
    "engine.qos.publish.persistent",
    "engine.qos.publish.priority",
    "engine.qos.publish.PubSub",
    "engine.qos.publish.readonly",
    "engine.qos.queryspec",
    "engine.qos.queryspec.QueueQuery",
    "engine.qos.subscribe.id",
    "engine.qos.subscribe.initialUpdate",
    "engine.qos.subscribe.multiSubscribe",
    "engine.qos.update.queue",
    "engine.qos.update.rcvTimestamp",
    "engine.qos.update.sender",
    "engine.qos.update.state",
    "engine.qos.update.subscriptionId",
    "engine.queue",
    "engine.runlevel",
    "engine.runlevel.howto",
    "engine.service.rdbms",
    "engine.service.rdbms.jdbcpool",
    "interface",
    "interface.connect",
    "interface.disconnect",
    "interface.erase",
    "interface.get",
    "interface.publish",
    "interface.subscribe",
    "interface.unSubscribe",
    "interface.update",
    "j2ee.jmx",
    "jms",
    "mime.plugin.access.regex",
    "mime.plugin.access.sql92",
    "mime.plugin.access.xpath",
    "mime.plugin.accessfilter",
    "mime.plugin.accessfilter.howto",
    "mime.plugin.publishfilter",
    "mime.plugin.publishfilter.howto",
    "mom.publishsubscribe",
    "msgDistributor.plugin",
    "msgDistributor.plugin.ConsumableQueue",
    "protocol",
    "protocol.email",
    "protocol.local",
    "protocol.socket",
    "protocol.stomp",
    "protocol.xmlrpc",
    "queue",
    "queue.cache",
    "queue.jdbc",
    "queue.jdbc.db2",
    "queue.jdbc.firebird",
    "queue.jdbc.hsqldb",
    "queue.jdbc.mysql",
    "queue.jdbc.oracle",
    "queue.jdbc.postgres",
    "queue.jdbc.sqlserver",
    "queue.ram",
    "security.development.serverPlugin.howto",
    "security.htpasswd",
    "security.introduction",
    "security.ldap",
    "util.property",
    "util.property.env",
]
"""Requirement documents of xmlBlaster that describe something which works there, wholly or in part."""


class Row(NamedTuple):
    """A row of the table."""

    requirement: str
    state: str
    what: str
    test: str


def rows() -> list[Row]:
    """The rows of the table, without its head."""
    lines = [line for line in TABLE.read_text("utf-8").splitlines() if line.startswith("|")]
    return [Row(*(cell.strip().strip("`") for cell in line.strip("|").split("|"))) for line in lines[2:]]


def functions(path: Path) -> set[str]:
    """The names of all functions of a file, methods among them."""
    tree = ast.parse(path.read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_requirement_has_one_row() -> None:
    assert [row.requirement for row in rows()] == REQUIREMENTS


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.requirement)
def test_a_row_says_what_is_here_and_which_test_shows_it(row: Row) -> None:
    assert row.state in STATES
    assert row.state != "yes" or row.test, "what works is shown by a test"
    if row.test:
        name, _, function = row.test.partition("::")
        path = TESTS / name
        assert path.is_file(), f"there is no tests/{name}"
        assert not function or function in functions(path), f"tests/{name} has no {function}"


def test_the_sums_above_the_table_are_right() -> None:
    found = Counter(row.state for row in rows())
    assert f"Now: {found['yes']} yes, {found['partly']} partly, {found['no']} no." in TABLE.read_text("utf-8")
