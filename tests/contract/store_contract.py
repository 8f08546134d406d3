"""What every store does, whatever its disk is (design D2–D5)."""

from __future__ import annotations

import itertools
from functools import partial

import pytest

from broker.errors import BrokerError, Code
from broker.model.records import (
    COPIED,
    FIRST_EXPIRED,
    HAD,
    TRANSIENT,
    AccountAction,
    AuditQuery,
    EntryRecord,
    MessageRecord,
    QueueDepth,
)
from tests.contract.records import (
    EPOCH,
    RANK,
    account,
    audit,
    document,
    entry,
    message,
    session,
    subject,
    subscription,
    topic,
)
from tests.contract.stages import Stage


def put(stage: Stage, id: int, *queues: int, **fields: int) -> None:
    """Append message ``id`` with one entry a queue; the entries' seq is the message's id."""
    for index, queue_id in enumerate(queues):
        stage.store.put_entry(entry(queue_id, id, id, **fields), None if index else message(id))


def settle(stage: Stage, queue_id: int, id: int) -> None:
    stage.store.settle(queue_id, RANK, EPOCH + id, EPOCH + id)


def read(stage: Stage, queue_id: int, *, rank: int = RANK, after: int = 0, limit: int = 1000) -> list[int]:
    """Short ids of the messages in a queue."""
    found = stage.run(stage.store.read_entries(queue_id, rank, after, limit))
    assert all(row.message_id == of.id for row, of in found)
    return [row.message_id - EPOCH for row, _ in found]


class StoreContract:
    """Tests; a subclass says with which ``stage``."""

    # --- what is put comes back ---

    def test_a_new_store_is_empty(self, stage: Stage) -> None:
        recovered = stage.run(stage.store.recover())

        assert recovered == ([], [], [], [], [], 0, 0, {}, [], [])

    def test_records_come_back_as_they_were_put(self, stage: Stage) -> None:
        stage.store.put_subject(subject(1, "jöe"))
        stage.store.put_session(session(2))
        stage.store.put_subscription(subscription("__subId:1", 2))
        stage.store.put_topic(topic(3, "a\n\U0001f426"))
        stage.restart()

        recovered = stage.run(stage.store.recover())

        assert recovered.subjects == [subject(1, "jöe")]
        assert recovered.sessions == [session(2)]
        assert recovered.subscriptions == [subscription("__subId:1", 2)]
        assert recovered.topics == [topic(3, "a\n\U0001f426")]

    def test_records_come_back_in_order_of_their_ids(self, stage: Stage) -> None:
        for id in (3, 1, 2):
            stage.store.put_session(session(id))
            stage.store.put_subscription(subscription(f"__subId:{id}", id))

        recovered = stage.run(stage.store.recover())

        assert [record.id for record in recovered.sessions] == [1, 2, 3]
        assert [record.id for record in recovered.subscriptions] == ["__subId:1", "__subId:2", "__subId:3"]

    @pytest.mark.parametrize("committed_between", [False, True])
    def test_a_later_record_replaces_an_earlier_one(self, stage: Stage, committed_between: bool) -> None:
        stage.store.put_session(session(1, epoch=1))
        if committed_between:
            stage.commit()
        stage.store.put_session(session(1, epoch=2))

        assert stage.run(stage.store.recover()).sessions == [session(1, epoch=2)]

    @pytest.mark.parametrize("committed_between", [False, True])
    def test_deleted_records_are_gone(self, stage: Stage, committed_between: bool) -> None:
        stage.store.put_subject(subject(1))
        stage.store.put_session(session(2))
        stage.store.put_subscription(subscription("__subId:1", 9))
        stage.store.put_topic(topic(3))
        if committed_between:
            stage.commit()
        stage.store.delete_subject(1)
        stage.store.delete_session(2)
        stage.store.delete_subscription("__subId:1")
        stage.store.delete_topic(3)

        assert stage.run(stage.store.recover())[:4] == ([], [], [], [])

    @pytest.mark.parametrize("committed_between", [False, True])
    def test_a_session_takes_its_subscriptions_with_it(self, stage: Stage, committed_between: bool) -> None:
        stage.store.put_session(session(1))
        stage.store.put_subscription(subscription("__subId:1", 1))
        stage.store.put_subscription(subscription("__subId:2", 2))
        if committed_between:
            stage.commit()
        stage.store.delete_session(1)

        assert stage.run(stage.store.recover()).subscriptions == [subscription("__subId:2", 2)]

    def test_a_session_that_returns_in_the_same_batch_keeps_only_its_new_subscriptions(self, stage: Stage) -> None:
        stage.store.put_session(session(1))
        stage.store.put_subscription(subscription("__subId:old", 1))
        stage.commit()
        stage.store.delete_session(1)
        stage.store.put_session(session(1, epoch=2))
        stage.store.put_subscription(subscription("__subId:new", 1))

        recovered = stage.run(stage.store.recover())

        assert recovered.sessions == [session(1, epoch=2)]
        assert recovered.subscriptions == [subscription("__subId:new", 1)]

    def test_a_subscription_that_changed_hands_outlives_its_first_session(self, stage: Stage) -> None:
        stage.store.put_subscription(subscription("__subId:1", 1))
        stage.commit()
        stage.store.put_subscription(subscription("__subId:1", 2))
        stage.store.delete_session(1)

        assert stage.run(stage.store.recover()).subscriptions == [subscription("__subId:1", 2)]

    def test_the_heartbeat_is_kept(self, stage: Stage) -> None:
        stage.store.beat(1000, 0)
        stage.store.beat(2000, 0)
        stage.restart()

        assert stage.run(stage.store.recover()).heartbeat == 2000

    def test_the_highest_id_that_a_heartbeat_tells_is_kept_though_nothing_bears_it(self, stage: Stage) -> None:
        stage.store.beat(1000, EPOCH + 7)
        stage.store.beat(2000, EPOCH + 5)
        stage.restart()

        assert stage.run(stage.store.recover()).last_id == EPOCH + 7

    def test_the_highest_id_is_kept_though_its_message_was_never_written(self, stage: Stage) -> None:
        put(stage, 5, 1)
        settle(stage, 1, 5)
        stage.restart()

        assert stage.run(stage.store.recover()).last_id == EPOCH + 5

    # --- queues ---

    def test_an_entry_is_read_with_its_message(self, stage: Stage) -> None:
        given: tuple[EntryRecord, MessageRecord] = (entry(7, 2, 1, flags=6, redeliver=3, size=99), message(1))
        stage.store.put_entry(*given)
        stage.restart()

        assert stage.run(stage.store.read_entries(7, RANK, 0, 10)) == [given]

    def test_entries_are_read_in_order_and_by_rank(self, stage: Stage) -> None:
        for id in (3, 1, 2):
            put(stage, id, 7)
        put(stage, 4, 7, rank=0)
        put(stage, 5, 8)

        assert read(stage, 7) == [1, 2, 3]
        assert read(stage, 7, rank=0) == [4]

    def test_reading_goes_on_after_an_entry_and_stops_at_the_limit(self, stage: Stage) -> None:
        for id in range(1, 6):
            put(stage, id, 7)

        assert read(stage, 7, after=EPOCH + 2, limit=2) == [3, 4]

    @pytest.mark.parametrize(
        ("max_bytes", "expected"), [(0, [1]), (10, [1]), (11, [1, 2]), (30, [1, 2, 3]), (-1, [1, 2, 3, 4])]
    )
    def test_reading_stops_at_the_entry_that_reaches_the_bytes(
        self, stage: Stage, max_bytes: int, expected: list[int]
    ) -> None:
        for id in range(1, 5):
            put(stage, id, 7, size=10)

        found = stage.run(stage.store.read_entries(7, RANK, 0, 10, max_bytes))

        assert [row.message_id - EPOCH for row, _ in found] == expected

    def test_bytes_are_counted_from_where_reading_goes_on(self, stage: Stage) -> None:
        for id in range(1, 5):
            put(stage, id, 7, size=10)

        found = stage.run(stage.store.read_entries(7, RANK, EPOCH + 2, 10, 10))

        assert [row.message_id - EPOCH for row, _ in found] == [3]

    @pytest.mark.parametrize("count", [1, 3, 341, 700])
    def test_batches_of_any_size_are_complete(self, stage: Stage, count: int) -> None:
        for id in range(count):
            put(stage, id, 7)

        assert read(stage, 7) == list(range(count))

    def test_a_read_sees_what_was_put_before_it_and_not_what_was_put_after_it(self, stage: Stage) -> None:
        put(stage, 1, 7)
        answer = stage.store.read_entries(7, RANK, 0, 10)
        put(stage, 2, 7)

        assert [row.message_id - EPOCH for row, _ in stage.run(answer)] == [1]
        assert read(stage, 7) == [1, 2]

    def test_a_message_is_stored_once_for_all_queues_and_goes_with_the_last(self, stage: Stage) -> None:
        put(stage, 1, 7, 8)
        stage.commit()
        stage.tidy()
        assert stage.rows_on_disk() == (1, 2)

        settle(stage, 7, 1)
        stage.commit()
        stage.tidy()
        assert stage.rows_on_disk() == (1, 1)

        settle(stage, 8, 1)
        stage.commit()
        stage.tidy()
        assert stage.rows_on_disk() == (0, 0)

    def test_an_old_message_can_get_a_new_entry_while_it_loses_its_last(self, stage: Stage) -> None:
        put(stage, 1, 7)
        stage.commit()
        stage.store.put_entry(entry(8, 2, 1))
        settle(stage, 7, 1)

        assert read(stage, 7) == []
        assert read(stage, 8) == [1]

    def test_what_is_put_and_settled_in_one_batch_is_not_written(self, stage: Stage) -> None:
        put(stage, 1, 7, 8)
        settle(stage, 7, 1)
        settle(stage, 8, 1)
        stage.commit()

        stage.tidy()
        assert stage.rows_on_disk() == (0, 0)

    def test_of_a_message_that_is_partly_settled_in_its_batch_the_rest_is_written(self, stage: Stage) -> None:
        put(stage, 1, 7, 8)
        settle(stage, 7, 1)

        assert read(stage, 7) == []
        assert read(stage, 8) == [1]
        stage.tidy()
        assert stage.rows_on_disk() == (1, 1)

    def test_a_settled_entry_can_be_settled_again(self, stage: Stage) -> None:
        put(stage, 1, 7, 8)
        stage.commit()
        settle(stage, 7, 1)
        settle(stage, 7, 1)
        stage.commit()
        settle(stage, 7, 1)
        stage.commit()

        assert read(stage, 8) == [1]

    def test_clearing_a_queue_covers_what_is_on_disk_in_flight_and_in_the_open_batch(self, stage: Stage) -> None:
        put(stage, 1, 7, 8)
        put(stage, 2, 7)
        stage.commit()
        stage.hold()
        put(stage, 3, 7)
        stage.turn()
        put(stage, 4, 7)
        put(stage, 5, 7, 8)
        stage.store.settle_all(7)
        put(stage, 6, 7)
        stage.release()

        assert read(stage, 7) == [6]
        assert read(stage, 8) == [1, 5]
        stage.tidy()
        assert stage.rows_on_disk() == (3, 3)

    def test_clearing_a_queue_leaves_messages_that_got_another_entry_in_the_same_batch(self, stage: Stage) -> None:
        put(stage, 1, 7)
        stage.commit()
        stage.store.put_entry(entry(8, 2, 1))
        stage.store.settle_all(7)

        assert read(stage, 8) == [1]

    def test_moving_a_queue_covers_what_is_on_disk_in_flight_and_in_the_open_batch(self, stage: Stage) -> None:
        put(stage, 1, 7)
        put(stage, 2, 8)
        stage.commit()
        stage.hold()
        put(stage, 3, 7)
        stage.turn()
        put(stage, 4, 7)
        stage.store.move_all(7, 8, 0xFF)
        put(stage, 5, 7)
        stage.release()

        assert read(stage, 7) == [5]
        assert read(stage, 8) == [1, 2, 3, 4]

    @pytest.mark.parametrize("committed_between", [False, True])
    def test_moving_a_queue_masks_the_flags(self, stage: Stage, committed_between: bool) -> None:
        put(stage, 1, 7, flags=0b110)
        if committed_between:
            stage.commit()
        stage.store.move_all(7, 8, ~0b010)

        assert stage.run(stage.store.read_entries(8, RANK, 0, 10)) == [(entry(8, 1, 1, flags=0b100), message(1))]

    def test_a_queue_moved_to_itself_only_masks_the_flags(self, stage: Stage) -> None:
        put(stage, 1, 7, flags=0b110)
        stage.commit()
        put(stage, 2, 7, flags=0b110)
        stage.store.move_all(7, 7, ~0b010)

        assert [row.flags for row, _ in stage.run(stage.store.read_entries(7, RANK, 0, 10))] == [0b100, 0b100]

    @pytest.mark.parametrize("committed_between", [False, True])
    def test_moving_and_settling_keep_their_order(self, stage: Stage, committed_between: bool) -> None:
        put(stage, 1, 7)
        put(stage, 2, 7)
        if committed_between:
            stage.commit()
        settle(stage, 7, 1)
        stage.store.move_all(7, 8, 0xFF)
        settle(stage, 7, 2)  # it is there no more
        stage.store.move_all(8, 9, 0xFF)
        stage.store.set_redeliver(9, RANK, EPOCH + 2, 1)
        stage.store.settle_all(8)

        assert stage.run(stage.store.read_entries(9, RANK, 0, 10)) == [(entry(9, 2, 2, redeliver=1), message(2))]

    @pytest.mark.parametrize("committed_between", [False, True])
    def test_failed_deliveries_are_counted(self, stage: Stage, committed_between: bool) -> None:
        put(stage, 1, 7)
        if committed_between:
            stage.commit()
        stage.store.set_redeliver(7, RANK, EPOCH + 1, 1)
        stage.store.set_redeliver(7, RANK, EPOCH + 1, 2)
        stage.store.set_redeliver(7, RANK, EPOCH + 99, 2)

        assert stage.run(stage.store.read_entries(7, RANK, 0, 10)) == [(entry(7, 1, 1, redeliver=2), message(1))]

    @pytest.mark.parametrize("committed_between", [False, True])
    def test_an_entry_keeps_the_number_under_which_it_was_sent(self, stage: Stage, committed_between: bool) -> None:
        put(stage, 1, 7)
        put(stage, 2, 7)
        if committed_between:
            stage.commit()
        stage.store.set_number(7, RANK, EPOCH + 1, 2**32 - 1)
        stage.store.set_number(7, RANK, EPOCH + 2, 1)
        stage.store.set_number(7, RANK, EPOCH + 99, 2)
        stage.restart()

        found = stage.run(stage.store.read_entries(7, RANK, 0, 10))

        assert [row.number for row, _ in found] == [2**32 - 1, 1]

    @pytest.mark.parametrize("committed_between", [False, True])
    def test_an_entry_keeps_its_new_flags(self, stage: Stage, committed_between: bool) -> None:
        put(stage, 1, 7, 8, flags=COPIED)
        if committed_between:
            stage.commit()
        stage.store.set_flags(7, RANK, EPOCH + 1, COPIED | HAD)
        stage.store.set_flags(7, RANK, EPOCH + 99, HAD)
        stage.restart()

        recovered = stage.run(stage.store.recover())
        found = stage.run(stage.store.read_entries(7, RANK, 0, 10))

        assert [row.flags for row, _ in found] == [COPIED | HAD]
        assert recovered.copies == [entry(8, 1, 1, flags=COPIED)]

    def test_headers_are_entries_and_messages_without_contents(self, stage: Stage) -> None:
        for id in (1, 2, 3):
            put(stage, id, 7)
        put(stage, 4, 8)

        found = stage.run(stage.store.read_headers(7, RANK, EPOCH + 1, 1))

        assert found == [(entry(7, 2, 2), message(2)._replace(content=b""))]
        assert len(stage.run(stage.store.read_headers(7, RANK, 0, 10))) == 3

    def test_entries_are_read_back_from_the_last_one(self, stage: Stage) -> None:
        for id in range(1, 7):
            put(stage, id, 7)
        put(stage, 7, 8)

        back = [(entry(7, id, id), message(id)) for id in range(6, 0, -1)]

        assert stage.run(stage.store.read_back(7, RANK, EPOCH + 100, 4, 10_000)) == back[:4]
        assert stage.run(stage.store.read_back(7, RANK, EPOCH + 3, 4, 10_000)) == back[4:]
        assert stage.run(stage.store.read_back(7, RANK, EPOCH + 1, 4, 10_000)) == []
        assert stage.run(stage.store.read_back(7, RANK, EPOCH + 100, 4, 1)) == back[:1]
        assert stage.run(stage.store.read_back(9, RANK, EPOCH + 100, 4, 1)) == []

    def test_entries_of_expired_messages_are_found_longest_expired_first(self, stage: Stage) -> None:
        for id, expires in ((1, 0), (2, 300), (3, 200), (4, 100), (5, 301)):
            stage.store.put_entry(entry(7, id, id), message(id, expires=expires))
        stage.store.put_entry(entry(8, 6, 4))

        found = stage.run(stage.store.read_expired(300, 10, 10_000))

        assert [(row.entry.queue_id, row.entry.message_id - EPOCH) for row in found] == [(7, 4), (8, 4), (7, 3), (7, 2)]
        given = message(4, expires=100)
        assert found[0][1:] == (given.oid, given.sender, given.key, given.qos, given.expires)
        assert stage.run(stage.store.read_expired(300, 2, 10_000)) == found[:2]

    def test_expired_messages_are_read_slice_by_slice(self, stage: Stage) -> None:
        for id, expires in ((1, 100), (2, 100), (3, 200), (4, 100)):
            stage.store.put_entry(entry(7, id, id), message(id, expires=expires))
            stage.store.put_entry(entry(6, id, id))
        found = stage.run(stage.store.read_expired(300, 10, 10_000))
        assert len(found) == 8

        slices = []
        after = FIRST_EXPIRED
        while read := stage.run(stage.store.read_expired(300, 3, 10_000, after)):
            slices.append(read)
            after = read[-1].place

        assert [len(each) for each in slices] == [3, 3, 2]
        assert [row for each in slices for row in each] == found

    def test_a_slice_of_expired_messages_ends_with_the_entry_that_reaches_the_bytes(self, stage: Stage) -> None:
        for id, qos in ((1, b"x"), (2, b"x" * 1000), (3, b"x"), (4, b"x" * 1000)):
            stage.store.put_entry(entry(7, id, id), message(id, expires=id)._replace(key=b"", qos=qos))

        first = stage.run(stage.store.read_expired(300, 10, 1))
        many = stage.run(stage.store.read_expired(300, 10, 1000))

        assert [row.entry.message_id - EPOCH for row in first] == [1]
        assert [row.entry.message_id - EPOCH for row in many] == [1, 2]

    def test_rows_are_counted_by_table(self, stage: Stage) -> None:
        for id in (1, 2):
            stage.store.put_topic(topic(id))
            put(stage, id, 7, 8)
        stage.store.put_session(session(3))
        counts = stage.run(stage.store.count_rows())
        assert {name: counts[name] for name in ("topic", "session", "message", "entry", "audit")} == {
            "topic": 2,
            "session": 1,
            "message": 2,
            "entry": 4,
            "audit": 0,
        }

    # --- counters and documents ---

    def test_counters_of_handled_stanzas_are_kept_as_long_as_their_sessions(self, stage: Stage) -> None:
        for id in (1, 2):
            stage.store.put_session(session(id))
            stage.store.put_handled(id, 10)
        stage.store.put_handled(1, 2**32 - 1)
        stage.commit()
        stage.store.delete_session(2)
        stage.restart()

        assert stage.run(stage.store.recover()).handled == {1: 2**32 - 1}

    def test_a_session_that_returns_in_the_same_batch_counts_anew(self, stage: Stage) -> None:
        stage.store.put_handled(1, 10)
        stage.commit()
        stage.store.delete_session(1)
        stage.store.put_handled(1, 3)

        assert stage.run(stage.store.recover()).handled == {1: 3}

    def test_documents_are_read_by_owner_and_kind_in_order_of_their_names(self, stage: Stage) -> None:
        given = [document("joe", "b"), document("joe", "a"), document("joe", "a", kind="vcard"), document("amy", "c")]
        for record in given:
            stage.store.put_document(record)

        assert stage.run(stage.store.read_documents("joe", "roster")) == [given[1], given[0]]
        assert stage.run(stage.store.read_documents("", "roster")) == [given[3], given[1], given[0]]
        assert stage.run(stage.store.read_documents("zoe", "roster")) == []

    @pytest.mark.parametrize("committed_between", [False, True])
    def test_documents_are_replaced_and_deleted(self, stage: Stage, committed_between: bool) -> None:
        stage.store.put_document(document("joe", "a"))
        stage.store.put_document(document("joe", "b"))
        if committed_between:
            stage.commit()
        stage.store.put_document(document("joe", "a", data=b"new"))
        stage.store.delete_document("joe", "roster", "b")
        stage.restart()

        assert stage.run(stage.store.read_documents("joe", "roster")) == [document("joe", "a", data=b"new")]

    @pytest.mark.parametrize("committed_between", [False, True])
    def test_documents_that_have_expired_are_purged(self, stage: Stage, committed_between: bool) -> None:
        for name, expires in (("never", 0), ("before", 99), ("now", 100), ("later", 101)):
            stage.store.put_document(document("joe", name, expires=expires))
        if committed_between:
            stage.commit()
        stage.store.purge_documents(100)
        stage.store.purge_documents(50)
        stage.store.put_document(document("joe", "after the purge", expires=1))

        found = stage.run(stage.store.read_documents("joe", "roster"))

        assert [record.name for record in found] == ["after the purge", "later", "never"]

    # --- recovery ---

    def test_recovery_counts_entries_and_bytes_of_each_queue_and_rank(self, stage: Stage) -> None:
        put(stage, 1, 8, 7)
        put(stage, 2, 7)
        put(stage, 3, 7, rank=0)

        assert stage.run(stage.store.recover()).depths == [
            QueueDepth(7, 0, 1, 10),
            QueueDepth(7, RANK, 2, 20),
            QueueDepth(8, RANK, 1, 10),
        ]

    def test_recovery_drops_transient_entries_and_messages_that_nobody_holds(self, stage: Stage) -> None:
        put(stage, 1, 7, flags=TRANSIENT)
        put(stage, 2, 7)
        stage.store.put_entry(entry(8, 3, 2, flags=TRANSIENT | 4))
        stage.commit()
        stage.tidy()
        assert stage.rows_on_disk() == (2, 3)

        recovered = stage.run(stage.store.recover())

        assert recovered.depths == [QueueDepth(7, RANK, 1, 10)]
        stage.tidy()
        assert stage.rows_on_disk() == (1, 1)
        assert read(stage, 7) == [2]

    def test_a_crash_keeps_all_that_was_committed_and_nothing_else(self, stage: Stage) -> None:
        put(stage, 1, 7)
        put(stage, 2, 7)
        stage.store.put_session(session(1))
        stage.commit()
        settle(stage, 7, 1)
        stage.commit()
        stage.hold()
        put(stage, 3, 7)
        stage.turn()
        stage.store.delete_session(1)
        stage.crash()

        recovered = stage.run(stage.store.recover())

        assert recovered.sessions == [session(1)]
        assert recovered.depths == [QueueDepth(7, RANK, 1, 10)]
        assert read(stage, 7) == [2]

    def test_closing_commits_what_has_gathered(self, stage: Stage) -> None:
        told: list[str] = []
        put(stage, 1, 7)
        stage.store.when_committed(stage.store.position, lambda: told.append("committed"))
        stage.restart()

        assert told == ["committed"]
        assert read(stage, 7) == [1]

    # --- who is told, and when ---

    def test_every_operation_has_a_position(self, stage: Stage) -> None:
        before = stage.store.position
        put(stage, 1, 7)
        settle(stage, 7, 1)

        assert stage.store.position >= before + 2

    def test_nobody_is_told_before_the_commit(self, stage: Stage) -> None:
        told: list[str] = []
        stage.hold()
        put(stage, 1, 7)
        stage.store.when_committed(stage.store.position, lambda: told.append("committed"))
        stage.turn()
        assert (told, stage.store.committed < stage.store.position) == ([], True)

        stage.release()

        assert (told, stage.store.committed) == (["committed"], stage.store.position)

    def test_everybody_is_told_in_order_of_position(self, stage: Stage) -> None:
        told: list[str] = []
        put(stage, 1, 7)
        first = stage.store.position
        put(stage, 2, 7)
        second = stage.store.position
        stage.store.when_committed(second, lambda: told.append("second"))
        stage.store.when_committed(first, lambda: told.append("first"))
        stage.store.when_committed(first, lambda: told.append("first again"))
        stage.commit()

        assert told == ["first", "first again", "second"]

    def test_who_asks_after_the_commit_is_told_at_once(self, stage: Stage) -> None:
        told: list[str] = []
        put(stage, 1, 7)
        stage.commit()
        stage.store.when_committed(stage.store.position, lambda: told.append("committed"))

        assert told == ["committed"]

    def test_what_was_elided_counts_as_committed(self, stage: Stage) -> None:
        told: list[str] = []
        put(stage, 1, 7)
        settle(stage, 7, 1)
        stage.store.when_committed(stage.store.position, lambda: told.append("committed"))
        stage.turn()

        assert told == ["committed"]

    def test_a_callback_may_append(self, stage: Stage) -> None:
        put(stage, 1, 7)
        stage.store.when_committed(stage.store.position, lambda: put(stage, 2, 7))
        stage.commit()

        assert read(stage, 7) == [1, 2]

    def test_a_callback_that_fails_keeps_nobody_else_from_being_told(
        self, stage: Stage, logged_errors: list[str]
    ) -> None:
        told: list[str] = []
        put(stage, 1, 7)
        stage.store.when_committed(stage.store.position, lambda: told.remove("no such thing"))
        stage.store.when_committed(stage.store.position, lambda: told.append("committed"))
        stage.commit()

        assert told == ["committed"]
        assert logged_errors == ["A callback for a commit failed"]

    def test_the_backlog_is_the_bytes_of_messages_that_wait_for_their_commit(self, stage: Stage) -> None:
        overhead = len(b"<key/>") + len(b"<qos/>")
        stage.hold()
        stage.store.put_entry(entry(7, 1, 1), message(1, content=bytes(1000)))
        stage.turn()
        stage.store.put_entry(entry(7, 2, 2), message(2, content=bytes(500)))
        assert stage.store.backlog == 1500 + 2 * overhead

        stage.release()
        stage.commit()

        assert stage.store.backlog == 0

    # --- what is due before a commit ---

    def test_what_is_due_before_a_commit_is_committed_with_it(self, stage: Stage) -> None:
        due = [3]

        def write_what_is_due(amid_turn: bool) -> None:
            if due:
                stage.store.put_handled(1, due.pop())

        stage.store.before_commit = write_what_is_due
        put(stage, 1, 7)
        stage.store.when_committed(stage.store.position, lambda: None)
        stage.turn()
        stage.crash()

        recovered = stage.run(stage.store.recover())

        assert (recovered.handled, recovered.depths) == ({1: 3}, [QueueDepth(7, RANK, 1, 10)])

    # --- failure ---

    def test_while_the_disk_fails_nothing_is_acknowledged(self, stage: Stage) -> None:
        told: list[str] = []
        stage.fail()
        put(stage, 1, 7)
        stage.store.when_committed(stage.store.position, lambda: told.append("committed"))
        stage.turn()

        assert stage.store.failure is not None
        assert stage.store.failure.code == Code.RESOURCE_DB_UNAVAILABLE
        assert (told, stage.store.committed) == ([], 0)

    def test_what_could_not_be_committed_is_committed_later_and_told_once(self, stage: Stage) -> None:
        told: list[int] = []
        stage.fail()
        for id in (1, 2):
            put(stage, id, 7)
            stage.store.when_committed(stage.store.position, partial(told.append, id))
            stage.turn()
        stage.heal()
        stage.commit()

        assert told == [1, 2]
        assert stage.store.failure is None
        assert read(stage, 7) == [1, 2]

    def test_a_read_waits_until_the_disk_works_again(self, stage: Stage) -> None:
        put(stage, 1, 7)
        stage.commit()
        stage.fail()
        put(stage, 2, 7)
        answers: list[list[tuple[EntryRecord, MessageRecord]]] = []
        stage.store.read_entries(7, RANK, 0, 10).addCallback(answers.append)
        stage.turn()
        assert answers == []

        stage.heal()
        stage.commit()
        stage.turn()

        assert [len(answer) for answer in answers] == [2]

    @pytest.mark.parametrize(
        "refused",
        [
            message(1, oid="a\0b"),
            message(1, oid="\ud800"),
            message(1, expires=-1),
            message(1, expires=2**63),
            message(1)._replace(sender="a\0b"),
        ],
    )
    def test_a_message_that_a_database_could_not_hold_is_refused_at_once(
        self, stage: Stage, refused: MessageRecord
    ) -> None:
        with pytest.raises(BrokerError) as caught:
            stage.store.put_entry(entry(7, 1, 1), refused)

        assert caught.value.code == Code.USER_ILLEGAL_ARGUMENT
        assert stage.store.position == 0

    def test_names_that_a_database_could_not_hold_are_refused_at_once(self, stage: Stage) -> None:
        for refuse in (
            lambda: stage.store.put_entry(entry(7, 1, 1)._replace(subscription_id="\0")),
            lambda: stage.store.put_subject(subject(1, "\0")),
            lambda: stage.store.put_session(session(1)._replace(secret_id="\0")),
            lambda: stage.store.put_session(session(1)._replace(public_id=2**63)),
            lambda: stage.store.put_topic(topic(1, "\udfff")),
            lambda: stage.store.put_subscription(subscription("\0", 1)),
            lambda: stage.store.put_subscription(subscription("x" * 1025, 1)),
            lambda: stage.store.put_document(document("joe", "x" * 1025)),
            lambda: stage.store.put_document(document("joe", "a", kind="\0")),
            lambda: stage.store.put_account(account("x" * 1025)),
            lambda: stage.store.put_account(account("joe")._replace(role="god")),
            lambda: stage.store.put_audit(audit(1, "\0")),
            lambda: stage.store.put_subject(subject(1, blocked=-1)),
        ):
            with pytest.raises(BrokerError) as caught:
                refuse()
            assert caught.value.code == Code.USER_ILLEGAL_ARGUMENT
        assert stage.store.position == 0

    # --- audit ---

    def test_rows_of_the_audit_are_told_the_newest_first(self, stage: Stage) -> None:
        rows = [audit(id, principal) for id, principal in enumerate(["boss", "ann", "boss"])]
        for row in rows:
            stage.store.put_audit(row)
        stage.store.put_audit(rows[1]._replace(outcome="failed"))

        for _ in range(2):
            assert stage.run(stage.store.read_audit(AuditQuery())) == [
                rows[2],
                rows[1]._replace(outcome="failed"),
                rows[0],
            ]
            stage.restart()

    @pytest.mark.parametrize(
        ("query", "wanted"),
        [
            (AuditQuery(principal="boss"), [3, 0]),
            (AuditQuery(principal="bos"), []),
            (AuditQuery(action="session.*"), [2, 1, 0]),
            (AuditQuery(action="Session.*"), []),
            (AuditQuery(target="topic/%*"), [3]),
            (AuditQuery(target="topic/%_"), [3]),
            (AuditQuery(target="topic/__"), []),
            (AuditQuery(target="*"), [3, 2, 1, 0]),
            (AuditQuery(since=1001, until=1003), [2, 1]),
            (AuditQuery(before=EPOCH + 2), [1, 0]),
            (AuditQuery(skip=1, limit=2), [2, 1]),
            (AuditQuery("joé", "session.end", "joe/1"), [2]),
        ],
    )
    def test_rows_of_the_audit_are_selected(self, stage: Stage, query: AuditQuery, wanted: list[int]) -> None:
        for id, principal in enumerate(["boss", "ann", "joé"]):
            stage.store.put_audit(audit(id, principal))
        stage.store.put_audit(audit(3, action="topic.erase", target="topic/%_"))

        assert [row.id - EPOCH for row in stage.run(stage.store.read_audit(query))] == wanted

    def test_rows_of_the_audit_are_forgotten(self, stage: Stage) -> None:
        for id in range(2):
            stage.store.put_audit(audit(id))
        stage.commit()
        for id in range(2, 4):
            stage.store.put_audit(audit(id))
        stage.store.forget_audit(EPOCH + 2)
        stage.restart()

        assert stage.run(stage.store.read_audit(AuditQuery())) == [audit(3)]

    def test_ids_of_the_audit_are_used_by_nothing_else(self, stage: Stage) -> None:
        stage.store.put_audit(audit(5))
        stage.restart()
        assert stage.run(stage.store.recover()).last_id == EPOCH + 5

    def test_block_and_limit_of_a_login_name_are_kept(self, stage: Stage) -> None:
        limited = subject(3, blocked=1_700_000_000_000, max_sessions=2)
        stage.store.put_subject(limited)
        stage.restart()
        assert stage.run(stage.store.recover()).subjects == [limited]

    # --- accounts ---

    def test_accounts_get_and_lose_a_role(self, stage: Stage) -> None:
        for name in ("joe", "amy"):
            stage.run(stage.store.put_account(account(name)))

        assert stage.run(stage.store.set_role("joe", "operator")) is True
        assert stage.run(stage.store.set_role("nobody", "operator")) is False
        assert stage.run(stage.store.get_account("joe")) == account("joe")._replace(role="operator")
        assert stage.run(stage.store.list_roles()) == {"joe": "operator"}
        assert stage.run(stage.store.read_account_changes())[-1][1:3] == ("joe", AccountAction.ROLE)
        stage.run(stage.store.set_role("joe", ""))
        assert stage.run(stage.store.list_roles()) == {}

    def test_accounts_are_put_read_listed_and_deleted(self, stage: Stage) -> None:
        for name in ("joe", "Zoë", "amy"):
            stage.run(stage.store.put_account(account(name)))

        assert stage.run(stage.store.get_account("joe")) == account("joe")
        assert stage.run(stage.store.list_accounts()) == [account("Zoë"), account("amy"), account("joe")]
        assert stage.run(stage.store.delete_account("joe")) is True
        assert stage.run(stage.store.delete_account("joe")) is False
        assert stage.run(stage.store.get_account("joe")) is None

    def test_an_account_is_replaced_by_a_later_one(self, stage: Stage) -> None:
        stage.run(stage.store.put_account(account("joe")))
        changed = account("joe")._replace(scram_sha_256="8192$bmV3$bmV3$bmV3")
        stage.run(stage.store.put_account(changed))
        stage.restart()

        assert stage.run(stage.store.list_accounts()) == [changed]

    def test_what_is_changed_of_accounts_is_told_until_it_is_forgotten(self, stage: Stage) -> None:
        for name in ("joe", "amy"):
            stage.run(stage.store.put_account(account(name)))
        stage.run(stage.store.put_account(account("amy")))
        stage.run(stage.store.delete_account("joe"))
        stage.run(stage.store.delete_account("joe"))
        stage.restart()

        changes = stage.run(stage.store.read_account_changes())
        assert [each[1:3] for each in changes] == [
            ("joe", AccountAction.ADDED),
            ("amy", AccountAction.ADDED),
            ("amy", AccountAction.PASSWORD),
            ("joe", AccountAction.REMOVED),
        ]
        assert all(before.at <= after.at for before, after in itertools.pairwise(changes))
        stage.store.forget_account_change(changes[0].id)
        stage.restart()
        assert stage.run(stage.store.read_account_changes()) == changes[1:]

    def test_an_empty_kind_reads_all_documents_of_an_owner(self, stage: Stage) -> None:
        for kind in ("a", "b"):
            stage.store.put_document(document("joe", "x", kind=kind))
        stage.store.put_document(document("amy", "x", kind="a"))

        found = stage.run(stage.store.read_documents("joe", ""))
        assert found == [document("joe", "x", kind="a"), document("joe", "x", kind="b")]

    def test_accounts_answer_in_a_later_turn(self, stage: Stage) -> None:
        answer = stage.store.get_account("joe")

        assert not answer.called
        stage.run(answer)
