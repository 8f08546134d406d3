"""A process that writes until it is killed, and says what was committed: ``writing_process.py URL``.

It puts messages 1, 2, 3 … into queue 7, settles every third in a later batch, and prints ``put N`` and ``settled N`` as
soon as the store has reported them.
"""

from __future__ import annotations

import sys
from functools import partial

from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred

from broker.store.sql.store import SqlStore
from tests.contract.records import EPOCH, RANK, entry, message

LIMIT = 500_000


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


async def write(store: SqlStore) -> None:
    await store.open()
    turn(store, 1)


def turn(store: SqlStore, first: int) -> None:
    for id in range(first, first + 10):
        store.put_entry(entry(7, id, id), message(id, content=bytes(500)))
        store.when_committed(store.position, partial(was_put, store, id))
    if first < LIMIT:
        reactor.callLater(0.001, turn, store, first + 10)


def was_put(store: SqlStore, id: int) -> None:
    say(f"put {id}")
    if id % 3 == 0:
        store.settle(7, RANK, EPOCH + id, EPOCH + id)
        store.when_committed(store.position, partial(say, f"settled {id}"))


if __name__ == "__main__":
    ensureDeferred(write(SqlStore(sys.argv[1], reactor))).addErrback(lambda failure: failure.printTraceback())
    reactor.run()
