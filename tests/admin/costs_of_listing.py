"""What pages of long lists cost, in seconds of the processor: for ``make proofs``, as the suite asserts no times."""

from __future__ import annotations

import random
import time
from typing import cast

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from broker.admin.listing import Collection, Page, Wanted, make_page
from tests.admin.test_listing import Thing, collection

MANY = 100_000
"""Things of which deep pages are asked for."""
LIMIT = 100
LONGEST_TURN = 0.010


def many_things() -> list[Thing]:
    """As many as a large broker has sessions, in no order."""
    listed = [Thing(f"user{number}/1", number) for number in range(MANY)]
    random.Random(7).shuffle(listed)
    return listed


class SingleSteps(Clock):
    """A reactor that makes one call in a turn, where the clock of Twisted makes all that are due."""

    def turn(self) -> None:
        """Make the next call."""
        call = self.calls.pop(0)
        call.called = 1
        call.func(*call.args, **call.kw)


def turns_of(listed: Collection[Thing], wanted: Wanted[Thing]) -> list[float]:
    """Seconds of the processor that each turn of the reactor took until the page was there."""
    reactor = SingleSteps()
    began = time.process_time()
    making = Deferred.fromCoroutine(make_page(listed, wanted, reactor, lambda: "now"))
    turns = [time.process_time() - began]
    while reactor.calls:
        began = time.process_time()
        reactor.turn()
        turns.append(time.process_time() - began)
    assert len(cast(Page, making.result).items) == wanted.limit
    return turns


@pytest.mark.parametrize("descending", [False, True])
def test_deep_page_costs_little_more_than_the_first(descending: bool) -> None:
    listed = collection(many_things())
    last = LIMIT if descending else MANY - LIMIT - 1
    costs: dict[int | None, list[float]] = {None: [], MANY // 2: [], last: []}
    for _ in range(5):  # the least of them is what the work costs, without what the machine does beside it
        for place, found in costs.items():
            after = None if place is None else (place, f"user{place}/1")
            found.append(sum(turns_of(listed, Wanted(LIMIT, "size", descending, after=after))))

    least = {place: min(found) for place, found in costs.items()}
    assert max(least.values()) <= 1.5 * least[None]


def test_no_turn_is_long_while_a_page_of_many_is_made() -> None:
    turns = turns_of(collection(many_things()), Wanted(LIMIT, "size", descending=True))

    assert len(turns) > 1
    assert max(turns) <= LONGEST_TURN
