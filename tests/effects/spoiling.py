"""A broker of both tongues on a real database, with something of every kind in it, and rows that are spoilt."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from broker.core.settings import Settings
from broker.xmpp.settings import XmppSettings
from broker.xmpp.wire import ns
from tests.contract.databases import postgresql
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
    """A store on a database of its own."""
    with postgresql() as url, closing(PostgresqlStage(url)) as stage:
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


def permit_nothing_in_columns(stage: SqliteStage) -> None:
    """Let every column but keys hold NULL, as a database that was repaired from a dump may."""
    connection = sqlite3.connect(stage.path)
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute("UPDATE sqlite_master SET sql = replace(sql, ' NOT NULL', '') WHERE type = 'table'")
    connection.commit()
    connection.close()


def copy(source: Path, target: Path) -> None:
    """Copy a database that nobody has open."""
    for path in target.parent.glob("broker.db*"):
        path.unlink()
    for path in source.parent.glob("broker.db*"):
        shutil.copy(path, target.parent)
