"""What is queued, with the messages that it refers to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from zope.interface import Interface

from broker.model.records import FIRST_EXPIRED

if TYPE_CHECKING:
    from broker.model.records import EntryRecord, ExpiredPlace, ExpiredRecord, MessageRecord


class IQueues(Interface):
    """Entries of queues and histories, and the messages that they refer to (design D5, D6, D9)."""

    def put_entry(record: EntryRecord, message: MessageRecord | None = None) -> None:
        """Insert an entry, with its message unless that was put with an entry before, which is not settled."""

    def settle(queue_id: int, rank: int, seq: int, message_id: int) -> None:
        """Delete an entry, and its message with the last entry that refers to it."""

    def settle_all(queue_id: int) -> None:
        """Delete all entries of a queue (also those of the open batch), and messages nothing refers to any more."""

    def move_all(queue_id: int, target: int, flags_mask: int) -> None:
        """Hand all entries of a queue (also those of the open batch) to another one, keeping rank and seq.

        ``flags_mask`` is and-ed to their flags.
        """

    def set_redeliver(queue_id: int, rank: int, seq: int, redeliver: int) -> None:
        """Note a failed delivery of an entry."""

    def set_number(queue_id: int, rank: int, seq: int, number: int) -> None:
        """Note the number under which an entry is sent (design D9)."""

    def set_flags(queue_id: int, rank: int, seq: int, flags: int) -> None:
        """Note other flags of an entry; it may have been settled meanwhile."""

    def read_entries(
        queue_id: int, rank: int, after: int, limit: int, max_bytes: int = -1
    ) -> Deferred[list[tuple[EntryRecord, MessageRecord]]]:
        """Read entries of one queue and rank with ``seq > after`` in order of ``seq``, at most ``limit``.

        The last one is that whose size (:attr:`EntryRecord.size`) makes the sum reach ``max_bytes``, so what is read
        exceeds them by less than one entry; negative for any number of bytes.

        Everything appended before the call is committed first and so is seen. Fires with a list of
        ``(EntryRecord, MessageRecord)``.
        """

    def read_headers(
        queue_id: int, rank: int, after: int, limit: int
    ) -> Deferred[list[tuple[EntryRecord, MessageRecord]]]:
        """Read as :meth:`read_entries` does, but no contents: these are empty."""

    def read_back(
        queue_id: int, rank: int, before: int, limit: int, max_bytes: int
    ) -> Deferred[list[tuple[EntryRecord, MessageRecord]]]:
        """Read as :meth:`read_entries` does, but entries with ``seq < before``, the last of them first."""

    def read_expired(
        now: int, limit: int, max_bytes: int, after: ExpiredPlace = FIRST_EXPIRED
    ) -> Deferred[list[ExpiredRecord]]:
        """Read entries of messages with ``0 < expires <= now`` (ms since 1970), longest expired first; no contents.

        Args:
            now: milliseconds since 1970.
            limit: most entries.
            max_bytes: the last entry is that whose key and QoS make the sum reach this.
            after: goes on behind the entry that had this :attr:`ExpiredRecord.place`.
        """
