"""Nothing that stands in the store keeps the broker from starting: what cannot be read is set aside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from broker.core.set_aside import KEPT
from broker.model.records import AccountRecord, DocumentRecord, MessageRecord, SubjectRecord
from tests.admin.office import BOSS, Office
from tests.core.world import World

PERSISTENT = "<qos><persistent/></qos>"
ODD: list[Any] = [b"garbage", b"", b"<qos", "text", None, 7, 2**80, -(2**70), 2.5, ["list"]]


def aside(world: World) -> list[str]:
    return [each.kind for each in world.node.set_aside.records]


def filled() -> World:
    """Two of everything; the ones of joe and ``a`` are about to be spoilt."""
    world = World()
    for name, oid in (("joe", "a"), ("ann", "b")):
        client = world.client(f"{name}/1", persistent=True)
        client.subscribe(oid, PERSISTENT)
        client.lose_connection()
        world.client("pub").publish(oid, f"to {name}".encode(), PERSISTENT)
        world.client("pub").send(f"{name}_away", b"for later", force=True)
    world.store.commit()
    return world


def works(world: World) -> None:
    """What was not spoilt is there, and the broker serves."""
    assert world.client("ann/1", persistent=True).contents == [b"to ann"]
    assert world.client("new").get("b") == [b"to ann"]
    assert world.client("ann_away").contents == [b"for later"]
    receiver = world.client("other/1", persistent=True)
    receiver.subscribe("c", PERSISTENT)
    world.client("pub").publish("c", b"new", PERSISTENT)
    assert receiver.contents == [b"new"]


def spoil(table: dict[Any, Any], field: str, value: Any) -> Any:
    """Put a value into the first record; returns its key."""
    key = min(table)
    table[key] = table[key]._replace(**{field: value})
    return key


FIELDS = [
    (table, field)
    for table, fields in {
        "topics": ("oid", "key", "qos"),
        "sessions": (
            "subject",
            "public_id",
            "kind",
            "secret_id",
            "state",
            "persistent",
            "epoch",
            "created",
            "attached",
        ),
        "subscriptions": ("session_id", "key", "qos", "created"),
        "subjects": ("name",),
        "messages": ("oid", "sender", "key", "qos", "content", "expires"),
    }.items()
    for field in fields
]


@pytest.mark.parametrize(("table", "field"), FIELDS)
@pytest.mark.parametrize("value", ODD, ids=lambda value: f"{value!r:.12}")
def test_an_odd_record_costs_itself_at_most_and_is_kept(table: str, field: str, value: Any) -> None:
    world = filled()
    records = getattr(world.store.tables, table)
    if table == "messages":
        key = min(id for id, each in records.items() if each.content == b"to joe")
        records[key] = records[key]._replace(**{field: value})
    else:
        key = spoil(records, field, value)
    spoilt = records[key]
    again = world.crash()
    works(again)
    again.client("joe/1", persistent=True)  # reads its queue
    again.store.commit()
    kept = getattr(again.store.tables, table)
    if aside(again) and table not in ("subscriptions", "sessions"):
        assert kept.get(key) == spoilt
    elif aside(again):
        assert spoilt in kept.values() or any(str(each[0]).startswith(KEPT) for each in kept.values())
    assert again.crash().client("new").get("b") == [b"to ann"]


@pytest.mark.parametrize("field", ["rank", "message_id", "subscription_id", "flags", "redeliver", "size", "number"])
@pytest.mark.parametrize("value", ["text", None, b"x", 2.5, -(2**63)], ids=repr)
def test_an_odd_entry_costs_itself_at_most(field: str, value: Any) -> None:
    world = filled()
    tables = world.store.tables
    found = next(each for each in tables.entries() if tables.messages[each.message_id].content == b"to joe")
    if field in ("rank", "message_id"):  # the store without a disk orders by one, and looks up the other
        value = 1000 if field == "rank" else max(id for id, each in tables.messages.items() if each.oid == "b")
    rank = tables._queues[found.queue_id][found.rank]
    rank.entries[found.seq] = found._replace(**{field: value})
    again = world.crash()
    again.client("joe/1", persistent=True)
    works(again)


class Boom(Exception):
    """None that anybody expects."""


def explode(*_: object, **__: object) -> Any:
    raise Boom("a fault of the program")


@pytest.mark.parametrize(
    ("kind", "break_it"),
    [
        ("topic", lambda patch: patch.setattr("broker.native.codec.records.RecordCodec.read_key", explode)),
        ("session", lambda patch: patch.setattr("broker.core.registry.SessionRegistry.watch", explode)),
        ("session", lambda patch: patch.setattr("broker.native.sessions.read_connect_qos", explode)),
        (
            "subscription",
            lambda patch: patch.setattr("broker.native.codec.records.RecordCodec.read_query_key", explode),
        ),
        ("subscription", lambda patch: patch.setattr("broker.core.topics.Topic.subscribe", explode)),
        ("subject", lambda patch: patch.setattr("broker.core.recovery.Recovery._subject", explode)),
    ],
)
def test_a_reader_may_fail_in_any_way(
    kind: str, break_it: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = filled()
    store = world.crashed()
    tables = store.tables
    before = (dict(tables.topics), dict(tables.sessions), dict(tables.subjects), len(tables.subscriptions))
    messages = dict(tables.messages)
    with monkeypatch.context() as patch:
        break_it(patch)
        broken = World(clock=world.clock, store=store)
    assert kind in aside(broken)
    assert not [each for each in broken.node.sessions.values() if each.ended]
    assert broken.node.stored_sessions == len(broken.node.sessions)
    assert broken.node.stored_subscriptions == len(broken.node.subscriptions)
    store = broken.crashed()
    tables = store.tables
    assert (dict(tables.topics), dict(tables.sessions)) == before[:2]
    assert len(tables.subscriptions) == before[3]
    assert dict(tables.messages) == messages
    healed = World(clock=world.clock, store=store)
    assert healed.client("joe/1", persistent=True).contents == [b"to joe"]
    works(healed)


def test_a_failing_store_fails_the_start() -> None:
    world = filled()
    store = world.crashed()

    def recover() -> Any:
        raise Boom("the disk")

    store.recover = recover  # type: ignore[method-assign]
    with pytest.raises(Boom):
        World(clock=world.clock, store=store)


def test_a_topic_that_is_set_aside_is_made_anew_beside_it() -> None:
    world = filled()
    records = world.store.tables.topics
    old = next(id for id, each in records.items() if each.oid == "a")
    good, records[old] = records[old], records[old]._replace(key=b"garbage, and so long")
    again = world.crash()
    again.client("pub").publish("a", b"anew", PERSISTENT)
    assert again.client("new").get("a") == [b"anew"]
    again.store.commit()
    assert again.store.tables.topics[old].key == b"garbage, and so long"
    assert sorted(each.oid for each in again.store.tables.topics.values()) == ["a", "a", "b"]

    again.store.tables.topics[old] = good  # the newer one stands, and nothing of the older one is lost
    last = again.crash()
    assert last.client("new").get("a") == [b"anew"]
    assert aside(last) == ["topic", "queue"]
    last.store.commit()
    assert b"to joe" in [each.content for each in last.store.tables.messages.values()]


def test_messages_of_a_session_that_is_set_aside_reach_its_client_and_its_record_stays() -> None:
    world = filled()
    records = world.store.tables.sessions
    old = next(id for id, each in records.items() if each.subject == "joe")
    records[old] = spoilt = records[old]._replace(kind="of a broker to come")
    again = world.crash()
    assert aside(again) == ["session", "subscription"]
    client = again.client("joe/1", persistent=True)
    assert client.contents == [b"to joe"]
    id = client.subscribe("a", PERSISTENT).id
    again.store.commit()
    assert again.store.tables.sessions[old] == spoilt
    assert len(again.store.tables.sessions) == 3
    assert id in again.store.tables.subscriptions
    kept = [each for each in again.store.tables.subscriptions.values() if each.session_id == old]
    assert [each.id.startswith(KEPT) for each in kept] == [True]


def test_a_subscription_that_is_set_aside_comes_back_under_its_id_when_it_can_be_read() -> None:
    world = World()
    client = world.client("joe/1", persistent=True)
    client.subscribe("a", "<qos><persistent/><subscribe id='__subId:client/joe/session/1-x'/></qos>")
    world.store.commit()
    table = world.store.tables.subscriptions
    good = table["__subId:client/joe/session/1-x"]
    table[good.id] = good._replace(qos=b"garbage, and so long")
    again = world.crash()
    assert not again.node.subscriptions
    again.store.commit()
    table = again.store.tables.subscriptions
    assert list(table) == [KEPT + good.id]
    table[KEPT + good.id] = table[KEPT + good.id]._replace(qos=good.qos)
    last = again.crash()
    assert list(last.node.subscriptions) == [good.id]
    last.store.commit()
    assert list(last.store.tables.subscriptions) == [good.id]


def test_a_subject_of_the_same_name_does_not_cost_the_messages_of_the_first() -> None:
    world = filled()
    tables = world.store.tables
    id = max(tables.subjects) + 1
    tables.put_subject(SubjectRecord(id, "joe_away"))
    again = world.crash()
    assert aside(again) == ["subject"]
    assert again.client("joe_away").contents == [b"for later"]
    works(again)


def test_entries_whose_owner_is_not_known_stay() -> None:
    world = filled()
    tables = world.store.tables
    (joe,) = (id for id, each in tables.sessions.items() if each.subject == "joe")
    del tables.sessions[joe]
    again = world.crash()
    assert aside(again) == ["subscription", "queue"]
    again.store.commit()
    assert any(each.queue_id == joe for each in again.store.tables.entries())


def test_a_history_is_read_around_a_message_that_cannot_be() -> None:
    world = World()
    for number in range(3):
        world.client("pub").publish("a", b"%d" % number, PERSISTENT)
    world.store.commit()
    tables = world.store.tables
    (which,) = (id for id, each in tables.messages.items() if each.content == b"1")
    tables.messages[which] = tables.messages[which]._replace(qos=b"garbage, and so long")
    again = world.crash()
    reader = again.client("joe")
    assert reader.get("a", "<qos><history numEntries='-1'/></qos>") == [b"2", b"0"]
    assert aside(again) == ["message"]
    again.client("pub").publish("a", b"3", PERSISTENT)
    assert reader.get("a", "<qos><history numEntries='-1'/></qos>") == [b"3", b"2", b"0"]
    again.store.commit()
    assert which in again.store.tables.messages


def test_a_session_whose_last_message_cannot_be_read_ends_all_the_same() -> None:
    world = filled()
    tables = world.store.tables
    for id, each in tables.messages.items():
        tables.messages[id] = each._replace(key=b"garbage, and so long")
    again = world.crash()
    client = again.client("joe/1", persistent=True)
    client.disconnect()
    again.store.commit()
    assert [each.subject for each in again.store.tables.sessions.values()] == ["ann"]
    assert len(again.store.tables.messages) == len(tables.messages)


def test_a_document_that_is_set_aside_is_kept_beside_the_one_that_replaces_it() -> None:
    world = World()
    odd = DocumentRecord("joe", "kind", "name", b"odd")
    world.store.put_document(odd)
    for _ in range(2):
        assert world.node.set_aside.document(world.store, odd, explode) is None
    world.store.put_document(odd._replace(data=b"fine"))
    world.store.commit()
    found = {(each.kind, each.data) for each in world.store.tables.documents.values()}
    assert found == {("kind", b"fine"), (KEPT + "kind", b"odd")}


def test_administrators_see_what_is_set_aside() -> None:
    world = filled()
    spoil(world.store.tables.topics, "key", b"garbage, and so long")
    office = Office(BOSS, world.crash())
    boss = office.client("boss")
    assert office.get(boss, "?numSetAside") == "2"
    topic, queue = office.get(boss, "?setAside").splitlines()
    assert topic.startswith("topic ")
    assert "'a': user.illegalArgument: key is not well-formed XML" in topic
    assert queue.startswith("queue ")


def test_administrators_see_accounts_that_cannot_be_read() -> None:
    world = filled()
    world.store.tables.put_account(AccountRecord("joe", "spoilt", "spoilt", 0))
    office = Office(BOSS, world.crash())
    assert office.get(office.client("boss"), "?setAside") == "account joe: a verifier of the account is none"


def test_messages_are_of_records_of_their_type() -> None:
    record = MessageRecord(1, "a", "/node/heron/client/joe", b"<key oid='a'/>", b"<qos/>", b"x", 0)
    world = World()
    assert world.node.revive(record) is not None
    assert world.node.revive(record._replace(id=2, key=b"<key")) is not None  # shorter than any document: no key at all
    assert world.node.revive(record._replace(id=3, key=b"<key oid='a'")) is None
