"""Operations become durable in the order in which they are appended."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

if TYPE_CHECKING:
    from broker.errors import BrokerError
    from broker.histogram import Histogram
    from broker.model.records import Recovered


class IJournal(Interface):
    """The order of a store's operations, and their way to the disk (design D2, D3)."""

    before_commit: Callable[[bool], None] | None = Attribute(
        "Called when the open batch is about to be closed for its commit, so that what is due in this turn goes into"
        " it. It may append. Its argument is whether a question closes the batch amid a turn: whoever asked is not done"
        " yet, and must not be met in the midst of it."
    )
    position: int = Attribute("Number of the last appended operation; grows by at least one with every append.")
    committed: int = Attribute("All operations up to this position are on disk.")
    backlog: int = Attribute("Bytes of message contents that are appended and not yet committed.")
    failure: BrokerError | None = Attribute(
        "The BrokerError that keeps the store from committing, or None. Cleared when it works again."
    )

    failing_since: float | None = Attribute(
        "When it began to keep the store from committing, in seconds by the reactor's clock; None where it does not."
    )

    commit_seconds: Histogram = Attribute("How long commits took; of a store without a disk nothing.")
    commit_operations: Histogram = Attribute("How many operations were in them.")
    reads: int = Attribute("Questions that were asked; of a store without a disk none.")
    folds: int = Attribute("How often a journal was written to the tables; of a store without one never.")
    waiting: int = Attribute("Batches and questions that wait for a thread; of a store without one none.")

    stands_by: bool = Attribute("Another broker has the database, and :meth:`open` waits until that one is gone.")
    on_taken_over: Callable[[BrokerError], object] = Attribute(
        "Called when another broker has had the database since: nothing is committed any more, nor reported so."
    )

    def open() -> Deferred[None]:
        """Open the database and bring its schema up to date.

        Fires when the store may be used; fails with ``resource.db.*`` where the database cannot be reached, or
        ``resource.configuration`` where its schema is newer than this program.
        """

    def stop_waiting() -> None:
        """Stand by no more: :meth:`open` fails with ``resource.unavailable`` where it waits for another broker."""

    def close() -> Deferred[None]:
        """Commit what has gathered and let go of the database."""

    def when_committed(position: int, callback: Callable[[], object]) -> None:
        """Call back (in order of position) once everything up to ``position`` is on disk; at once if it is already."""

    def end_turn() -> None:
        """All that this turn appends is appended: a commit that somebody waits for may begin."""

    def recover() -> Deferred[Recovered]:
        """Delete transient entries and messages without entries, then read everything but messages.

        Rows that are no records are left where they are, and told (:attr:`Recovered.unreadable`); a failure of the
        database itself is one of the Deferred.
        """

    def beat(now: int, last_id: int) -> None:
        """Note that the broker is running at ``now`` (ms since 1970), and has used no id above ``last_id``."""
