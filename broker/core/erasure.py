"""Erasing with ``forceDestroy``: what waits of an erased topic is never delivered (spec xmlblaster §2.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.logger import Logger

from broker.core.queues import Queue
from broker.failpoints import reach
from broker.model.number import whole
from broker.model.records import DocumentRecord

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall

    from broker.core.node import Node

log = Logger()

ERASED = "erased"
"""Kind of the documents that remember an erased topic: named by the number of its erasure, with its oid as data."""
NOBODY = "@"
"""Owner of these documents: no login name."""
SLICE = 2000
"""Entries that are looked at before others get their turn."""
PAUSE = 1000
"""Milliseconds between two passes through all queues."""


class Erasure:
    """Remembers erased topics until no queue holds a message of them any more.

    The mark is stored in the transaction of the erase, so its answer holds over a crash. The queues are then gone
    through in slices, however many entries wait in them, and the mark is dropped behind that.

    Args:
        node: shared state.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._running = False
        self._stopped = False
        self._pause: tuple[IDelayedCall, Deferred[None]] | None = None
        self._looked_at = 0
        self._cheap = True  # nothing had to be read

    async def recover(self) -> None:
        """Know again what was erased and may still be in queues; called before any number is given."""
        node = self._node
        for document in await node.store.read_documents(NOBODY, ERASED):
            node.set_aside.document(node.store, document, self._recovered)

    def _recovered(self, document: DocumentRecord) -> bool:
        node = self._node
        number = whole(document.name, "the number of an erasure", least=0)
        oid = document.data.decode("utf-8", "replace")
        node.erased[oid] = max(number, node.erased.get(oid, 0))
        node.raise_floor(number)  # a message that is published from now on must not be taken for an erased one
        return True

    def start(self) -> None:
        """Go through the queues, where a mark is left from before."""
        self._stopped = False
        self._begin()

    def stop(self) -> None:
        """Go through them no more; the marks stay."""
        self._stopped = True
        pause, self._pause = self._pause, None
        if pause is not None:
            call, over = pause
            call.cancel()
            over.callback(None)

    def erase(self, oid: str) -> None:
        """Deliver no message any more that was published on this topic until now."""
        node = self._node
        number = node.ids.next()
        document = DocumentRecord(NOBODY, ERASED, str(number), oid.encode())
        node.store.put_document(document)
        before = node.erased.get(oid)
        if before is not None:
            self._drop(before)
        node.erased[oid] = number
        node.erasures += 1
        self._begin()

    def _begin(self) -> None:
        if self._node.erased and not self._running and not self._stopped:
            self._running = True
            work = ensureDeferred(self._run())
            work.addErrback(lambda failure: log.failure("Erased messages cannot be looked for", failure))
            work.addBoth(lambda _: self._ended())

    def _ended(self) -> None:
        self._running = False

    async def _run(self) -> None:
        node = self._node
        await self._wait(0)  # what is erased in this turn is looked for together
        while node.erased and not self._stopped:
            erased = dict(node.erased)
            self._cheap = True
            clean = await self._pass()
            if clean:
                for oid, number in erased.items():
                    if node.erased.get(oid) == number:
                        del node.erased[oid]
                        self._drop(number)
                reach("erasure forgotten")
            if node.erased:
                await self._wait(0 if clean and self._cheap else PAUSE)

    async def _pass(self) -> bool:
        """Go through all queues; tells whether none of the erased messages is left."""
        node = self._node
        clean = True
        for queue in list(node.queues.values()):
            if not isinstance(queue, Queue) or not queue.entries:
                continue
            self._looked_at += queue.entries
            self._cheap = self._cheap and queue.in_memory == queue.entries
            await queue.discard(node.is_erased)
            if self._looked_at >= SLICE:
                self._looked_at = 0
                await self._wait(0)
            if self._stopped:
                return False
        for session in list(node.sessions.values()):
            # What is on its way comes back to the queue if it is not acknowledged.
            if any(node.is_erased(entry.message) for entry in session.dispatch.taken):
                clean = False
        return clean

    def _drop(self, number: int) -> None:
        self._node.store.delete_document(NOBODY, ERASED, str(number))

    async def _wait(self, milliseconds: int) -> None:
        if self._stopped:
            return
        over: Deferred[None] = Deferred()
        self._pause = self._node.later(milliseconds, self._go_on), over
        await over

    def _go_on(self) -> None:
        pause, self._pause = self._pause, None
        if pause is not None:
            pause[1].callback(None)
