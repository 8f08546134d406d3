"""What was done in administration: a row in the store and a line in the log for each (operations §6.2)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.defer import TimeoutError as DeferredTimeoutError
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from broker.core.asker import Asker
from broker.errors import BrokerError, Code
from broker.logs.audit import audit
from broker.model.records import AuditQuery, AuditRecord
from broker.timers import cancel

if TYPE_CHECKING:
    from broker.core.node import Node

log = Logger()

MAX_TEXT = 2000
"""Characters of a value that is kept."""
COMMIT_SECONDS = 5.0
"""That a change waits for its row to be on disk."""
LOOK_INTERVAL = 3_600_000
"""Milliseconds between two looks for rows that are too old or too many."""
DAY = 86_400_000


class Outcome(StrEnum):
    """How something went."""

    BEGUN = "begun"
    DONE = "done"
    FAILED = "failed"
    REFUSED = "refused"


@dataclass(slots=True)
class Change:
    """What somebody does.

    Args:
        asker: who does it.
        action: what it is, e.g. ``session.end``.
        target: to what; empty for the node.
        parameters: with which; neither secrets nor contents.
        reason: why, as the asker gave it.
    """

    asker: Asker
    action: str
    target: str = ""
    parameters: str = ""
    reason: str = ""


class AuditTrail:
    """Writes down who has changed what, with which outcome.

    A row is on disk before the change is made, with the outcome ``begun``; the outcome itself goes into the batch of
    what the change puts there, or behind it. Where a row cannot be written the change is refused.

    Args:
        node: shared state.

    Attributes:
        failures: changes that were refused because they could not be written down.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self.failures = 0
        self._look: IDelayedCall | None = None

    def note(
        self,
        change: Change,
        outcome: Outcome = Outcome.DONE,
        code: str = "",
        *,
        at: int = 0,
        more: Mapping[str, object] | None = None,
        line: bool = True,
    ) -> None:
        """Write down what was done: in the open batch, and in the log.

        Args:
            change: what was done.
            outcome: how it went.
            code: of the error where it failed.
            at: milliseconds since 1970; 0 for now.
            more: what the line in the log has beside.
            line: the log gets its line here.
        """
        self._put(self._node.ids.next(), change, outcome, code, at)
        if line:
            self._tell(change, outcome, code, more or {})

    @asynccontextmanager
    async def change(self, change: Change, *, always: bool = False) -> AsyncIterator[None]:
        """Make a change inside of this; when it is left, the change is on disk.

        Args:
            change: what is to be done.
            always: it is made also where it cannot be written down, and waits for no commit.

        Raises:
            BrokerError: ``resource.db.unavailable`` where it cannot be written down, so that it is not made; and
                where it is made, and not on disk yet.
        """
        id = self._node.ids.next()
        await self._begin(id, change, always=always)
        try:
            yield
        except BaseException as error:
            code = str(error.code) if isinstance(error, BrokerError) else str(Code.INTERNAL_UNKNOWN)
            self._end(id, change, Outcome.FAILED, code, error.message if isinstance(error, BrokerError) else "")
            raise
        self._end(id, change, Outcome.DONE)
        if not always:
            await self.committed()

    async def committed(self) -> None:
        """Wait until all that was appended is on disk.

        Raises:
            BrokerError: ``resource.db.unavailable`` where that takes too long.
        """
        store = self._node.store
        done: Deferred[None] = Deferred()

        def tell() -> None:
            if not done.called:
                done.callback(None)

        store.when_committed(store.position, tell)
        done.addTimeout(0.0 if store.failure is not None else COMMIT_SECONDS, self._node.clock)
        try:
            await done
        except DeferredTimeoutError:
            raise BrokerError(
                Code.RESOURCE_DB_UNAVAILABLE, "the store does not commit now; what was asked may be made later"
            ) from None

    def start(self) -> None:
        """Drop what is too old or too much, from now on again and again."""
        looking = ensureDeferred(self._forget())
        looking.addErrback(lambda failure: log.failure("old rows of the audit stay", failure))
        self._look = self._node.later(LOOK_INTERVAL, self.start)

    def stop(self) -> None:
        """Drop no more."""
        cancel(self._look)
        self._look = None

    async def _begin(self, id: int, change: Change, *, always: bool) -> None:
        if always:
            return
        if self._node.store.failure is None:
            self._put(id, change, Outcome.BEGUN, "")
            try:
                await self.committed()
            except BrokerError:
                self._put(id, change, Outcome.REFUSED, str(Code.RESOURCE_DB_UNAVAILABLE))
            else:
                return
        self.failures += 1
        self._tell(change, Outcome.REFUSED, str(Code.RESOURCE_DB_UNAVAILABLE), {})
        raise BrokerError(
            Code.RESOURCE_DB_UNAVAILABLE, "nothing is changed: it cannot be written down in the audit now"
        )

    def _end(self, id: int, change: Change, outcome: Outcome, code: str = "", error: str = "") -> None:
        self._put(id, change, outcome, code)
        self._tell(change, outcome, code, {}, error)
        asker = change.asker
        self._node.events.tell(
            "admin/event/changed",
            action=change.action,
            target=change.target,
            principal=asker.principal,
            outcome=str(outcome),
        )

    def _put(self, id: int, change: Change, outcome: Outcome, code: str, at: int = 0) -> None:
        asker = change.asker
        texts = (
            asker.principal,
            asker.role,
            asker.via,
            asker.peer or asker.session,
            change.action,
            change.target,
            change.parameters,
        )
        kept = (_kept(text) for text in (*texts, change.reason, str(outcome), code, asker.request))
        self._node.store.put_audit(AuditRecord(id, at or id // 1_000_000, *kept))

    def _tell(self, change: Change, outcome: Outcome, code: str, more: Mapping[str, object], error: str = "") -> None:
        asker = change.asker
        fields = {
            "principal": asker.principal,
            "via": asker.via,
            "session": asker.session,
            "peer": asker.peer,
            "target": change.target,
            "parameters": change.parameters,
            "role": asker.role,
            "request": asker.request,
            "why": change.reason,
        }
        audit(change.action, {**fields, **more, "outcome": str(outcome), "code": code, "reason": error})

    async def _forget(self) -> None:
        node = self._node
        settings = node.settings
        upto = max(0, node.now() - settings.audit_days * DAY) * 1_000_000
        beyond = await node.store.read_audit(AuditQuery(skip=settings.audit_entries, limit=1))
        if beyond:
            upto = max(upto, beyond[0].id)
        if await node.store.read_audit(AuditQuery(until=upto // 1_000_000, limit=1)) or beyond:
            node.store.forget_audit(upto)


def _kept(text: str) -> str:
    """A text as the table takes it, whatever peers have put there."""
    return text[:MAX_TEXT].replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()
