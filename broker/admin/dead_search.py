"""Looking for dead messages: those that are kept, and headers of those that are not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from enum import StrEnum

from broker.admin.filtering import by_choice, by_part, by_pattern, by_truth
from broker.admin.listing import Filter, Predicate
from broker.admin.views.dead_messages import Dead, group_of_dead
from broker.core.broker import Broker
from broker.core.dead_letters import DeadGroup, Lost

DEAD_FILTERS: dict[str, Filter[Dead]] = {
    "oid": by_pattern(lambda dead: dead.oid),
    "receiver": by_pattern(lambda dead: dead.receiver),
    "sender": by_pattern(lambda dead: dead.sender),
    "reasonGroup": by_choice(group_of_dead, DeadGroup),
    "volatile": by_truth(lambda dead: isinstance(dead, Lost)),
    "q": by_part(lambda dead: f"{dead.oid} {dead.receiver} {dead.sender} {dead.code} {dead.text}"),
}


class DeadField(StrEnum):
    """What dead messages are counted by."""

    REASON_GROUP = "reasonGroup"
    RECEIVER = "receiver"
    OID = "oid"


FIELDS: dict[DeadField, Callable[[Dead], str]] = {
    DeadField.REASON_GROUP: group_of_dead,
    DeadField.RECEIVER: lambda dead: dead.receiver,
    DeadField.OID: lambda dead: dead.oid,
}


async def newest_first(
    broker: Broker, predicates: Sequence[Predicate[Dead]], before: int | None = None
) -> AsyncIterator[tuple[Dead, bool]]:
    """All dead messages, and whether each matches.

    Args:
        broker: the core.
        predicates: that match where all hold.
        before: only those with a lower id; ``None`` for all.
    """
    lost = [each for each in broker.letters.lost if before is None or each.id < before]
    async for dead in broker.dead_messages.all(newest_first=True):
        if before is not None and dead.id >= before:
            continue
        while lost and lost[-1].id > dead.id:
            yield _judged(lost.pop(), predicates)
        yield _judged(dead, predicates)
    while lost:
        yield _judged(lost.pop(), predicates)


def _judged(dead: Dead, predicates: Sequence[Predicate[Dead]]) -> tuple[Dead, bool]:
    return dead, all(predicate(dead) for predicate in predicates)
