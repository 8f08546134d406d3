"""A broker of both tongues on a real database, with something of every kind in it, and rows that are spoilt."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
from sqlalchemy import Column

from broker.core.settings import Settings
from broker.store.sql.schema import metadata
from broker.xmpp.settings import XmppSettings
from broker.xmpp.wire import ns
from tests.contract.databases import emptied_postgresql, postgresql
from tests.contract.records import account
from tests.contract.stages import PostgresqlStage, SqliteStage, SqlStage
from tests.core.world import START
from tests.xmpp.world import Peer, World, befriend
from tests.xmpp.world import settings as xmpp_settings

PERSISTENT = "<qos><persistent/></qos>"
HOST = "pubsub.localhost"
XMPP = xmpp_settings(sm_ask=False, idle=-1)
CORE = Settings()


@contextmanager
def fresh_sqlite() -> Iterator[SqliteStage]:
    """A store on a file of its own."""
    with TemporaryDirectory() as directory, closing(SqliteStage(Path(directory))) as stage:
        yield stage


@contextmanager
def fresh_postgresql() -> Iterator[PostgresqlStage]:
    """A store on an empty database."""
    with emptied_postgresql() as url, closing(PostgresqlStage(url)) as stage:
        yield stage


class StoredWorld(World):
    """A broker on a real database.

    Args:
        stage: with its store.
        xmpp: settings of the service.
        core: settings of the core.
    """

    def __init__(self, stage: SqlStage, xmpp: XmppSettings = XMPP, core: Settings = CORE) -> None:
        stage.clock.rightNow = max(stage.clock.rightNow, START)
        super().__init__(xmpp, core=core, clock=stage.clock, store=stage.store)  # type: ignore[arg-type]
        self.stage = stage

    def crash(self, *, committed: bool = True) -> World:
        """A new broker on what the database has."""
        assert committed
        stop(self.stage, self)
        return start(self.stage, self.xmpp, self.settings)


def iq(payload: str, to: str = "") -> str:
    return f"<iq type='set' id='q'{f' to={to!r}' if to else ''}>{payload}</iq>"


def fill(stage: SqlStage) -> dict[str, tuple[str, int]]:
    """Two of everything. What is joe's or mary's, and the topics ``a`` and ``news``, are to be spoilt.

    Returns:
        Ids and counters of the streams of mary and jack.
    """
    world = StoredWorld(stage)
    streams = _fill_xmpp(world)
    publisher = world.client("pub")
    for name, oid in (("joe", "a"), ("ann", "b")):
        client = world.client(f"{name}/1", persistent=True)
        client.subscribe(oid, PERSISTENT)
        client.lose_connection()
        publisher.publish(oid, f"to {name}".encode(), PERSISTENT)
        publisher.send(f"{name}_away", f"for {name}".encode(), force=True)
        stage.run(stage.store.put_account(account(name)))
    stop(stage, world)
    return streams


def _fill_xmpp(world: World) -> dict[str, tuple[str, int]]:
    mary, jack = (world.bind(f"{name}@localhost/x", sm=True) for name in ("mary", "jack"))
    befriend(mary, jack)
    for name, peer in (("mary", mary), ("jack", jack)):
        node = "news" if name == "mary" else "other"
        for payload in (
            f"<query xmlns='{ns.ROSTER}'><item jid='{name}.friend@localhost' name='Friend'/></query>",
            f"<query xmlns='{ns.PRIVATE}'><a xmlns='urn:a'>{name}</a></query>",
            f"<vCard xmlns='{ns.VCARD}'><FN>{name}</FN></vCard>",
            f"<block xmlns='{ns.BLOCKING}'><item jid='spam@{name}.example'/></block>",
        ):
            peer.send(iq(payload))
        for payload in (
            f"<create node='{node}'/>",
            f"<publish node='{node}'><item id='1'><e xmlns='urn:e'>{name}</e></item></publish>",
        ):
            peer.send(iq(f"<pubsub xmlns='{ns.PUBSUB}'>{payload}</pubsub>", HOST))
        peer.take()
    streams = {}
    for name, peer in (("mary", mary), ("jack", jack)):
        peer.ack()
        streams[name] = peer.id, peer.h
        peer.cut()
    sender = world.bind("joe@localhost/x")
    for name in streams:
        sender.send(f"<message to='{name}@localhost/x' type='chat'><body>to {name}</body></message>")
    return streams


def stop(stage: SqlStage, world: World) -> None:
    """Commit, and lose the process; the database is let go of."""
    stage.commit()
    for call in list(stage.clock.getDelayedCalls()):
        call.cancel()
    stage.run(stage.store.close())


def start(stage: SqlStage, xmpp: XmppSettings = XMPP, core: Settings = CORE) -> World:
    """A new broker on the same disk."""
    stage.store = stage.make()
    stage.run(stage.store.open())
    return StoredWorld(stage, xmpp, core)


def resumed(world: World, name: str, stream: tuple[str, int]) -> tuple[Peer, list[str]]:
    """A client that resumes its stream; or logs in anew where it is gone, as clients do. With the bodies that came."""
    peer = world.peer()
    peer.login(name)
    trees = peer.resume(*stream)
    if trees[0].name == "failed":
        peer.bind("x")
        peer.send("<presence/>")
        trees = peer.take()
    return peer, [tree.text_of(ns.CLIENT, "body") for tree in trees if tree.name == "message"]


QUESTIONS = {
    "roster": (f"<query xmlns='{ns.ROSTER}'/>", ""),
    "private": (f"<query xmlns='{ns.PRIVATE}'><a xmlns='urn:a'/></query>", ""),
    "blocked": (f"<blocklist xmlns='{ns.BLOCKING}'/>", ""),
    "card": (f"<vCard xmlns='{ns.VCARD}'/>", ""),
    "items": (f"<pubsub xmlns='{ns.PUBSUB}'><items node='NODE'/></pubsub>", HOST),
}


def asked(peer: Peer, node: str) -> dict[str, bytes]:
    """What the server says of what an account keeps."""
    found = {}
    for name, (payload, to) in QUESTIONS.items():
        peer.take()
        peer.send(iq(payload.replace("NODE", node), to).replace("'set'", "'get'"))
        (answer,) = [tree.to_bytes() for tree in peer.take() if tree.attributes.get("id") == "q"]
        assert b"internal-server-error" not in answer
        found[name] = b"".join(sorted(re.findall(rb"<[^>]*>|[^<]+", answer)))
    return found


class SqliteCopies:
    """A filled database, of which a test has copies, one after the other. Its columns keep values of any type.

    Args:
        directory: of the filled one.

    Attributes:
        streams: see :func:`fill`.
    """

    refusal: type[Exception] = sqlite3.IntegrityError

    def __init__(self, directory: Path) -> None:
        with closing(SqliteStage(directory)) as stage:
            self._path = stage.path
            self.streams = fill(stage)
            # Every column but keys may hold NULL, as in a database that was repaired from a dump.
            with closing(sqlite3.connect(stage.path)) as connection, connection:
                connection.execute("PRAGMA writable_schema = ON")
                connection.execute("UPDATE sqlite_master SET sql = replace(sql, ' NOT NULL', '') WHERE type = 'table'")

    @contextmanager
    def stage(self) -> Iterator[SqliteStage]:
        """For the copies; its store is closed."""
        with TemporaryDirectory() as directory, closing(SqliteStage(Path(directory))) as stage:
            stage.run(stage.store.close())
            yield stage

    def renew(self, stage: SqliteStage) -> None:
        """A fresh copy, in place of the last one, which nobody has open."""
        for path in stage.path.parent.glob("broker.db*"):
            path.unlink()
        for path in self._path.parent.glob("broker.db*"):
            shutil.copy(path, stage.path.parent)

    def as_stored(self, column: Column[Any], value: Any) -> Any:
        """A value as a test writes it into a column."""
        return value


UNREAD = frozenset({"document", "entry"})
"""Tables that a start does not read: on PostgreSQL it relies on their columns, which keep no NULL."""


class PostgresqlCopies:
    """The same on PostgreSQL, whose columns keep values of one type, and NULL where that is not forbidden.

    Args:
        url: of the filled one.

    Attributes:
        streams: see :func:`fill`.
    """

    refusal: type[Exception] = psycopg.Error

    def __init__(self, url: str) -> None:
        self._url = url
        with closing(PostgresqlStage(url)) as stage:
            self.streams = fill(stage)
            for table in metadata.sorted_tables:
                if table.name in UNREAD:
                    continue
                for column in table.columns:
                    if not column.primary_key:
                        stage.edit(f"ALTER TABLE {table.name} ALTER COLUMN {column.name} DROP NOT NULL")
            stage.edit("CREATE SCHEMA filled")
            for table in metadata.sorted_tables:
                stage.edit(f"CREATE TABLE filled.{table.name} AS TABLE {table.name}")

    @contextmanager
    def stage(self) -> Iterator[PostgresqlStage]:
        """For the copies; its store is closed."""
        with closing(PostgresqlStage(self._url)) as stage:
            stage.run(stage.store.close())
            yield stage

    def renew(self, stage: PostgresqlStage) -> None:
        """What was filled in, in place of what is there: databases made anew would take most of a test's time."""
        tables = [table.name for table in metadata.sorted_tables]
        stage.edit(
            "".join(
                (
                    # of a broker whose test has failed
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid();",
                    *(f"DELETE FROM {table};" for table in reversed(tables)),
                    *(f"INSERT INTO {table} SELECT * FROM filled.{table};" for table in tables),
                )
            )
        )

    def as_stored(self, column: Column[Any], value: Any) -> Any:
        """Texts and bytes stand for each other, as far as they can."""
        kind = column.type.python_type
        if kind is str and isinstance(value, bytes):
            return value.decode("utf-8", "replace").replace("\x00", "")
        if kind is bytes and isinstance(value, str):
            return value.encode()
        return value


Copies = SqliteCopies | PostgresqlCopies


@contextmanager
def filled_copies(database: str, directory: Path) -> Iterator[Copies]:
    """A filled database, ``sqlite`` in this directory or ``postgresql``."""
    if database == "sqlite":
        yield SqliteCopies(directory)
        return
    with postgresql() as url:
        yield PostgresqlCopies(url)
