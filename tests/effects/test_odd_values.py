"""Odd values in requests of either tongue, on a real database: refused, or there after a restart."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.stages import SqlStage
from tests.core import test_odd_requests as native
from tests.effects.spoiling import StoredWorld, fresh_postgresql, fresh_sqlite
from tests.xmpp import test_odd_storage as xmpp

Native = tuple[tuple[str, str], str]
Stanza = tuple[Callable[[str], str], str]

GROUP = 8
T = TypeVar("T")

natives = st.lists(st.tuples(st.sampled_from(native.PLACES), native.ODD), min_size=1, max_size=8)
stanzas = st.lists(st.tuples(st.sampled_from(xmpp.PLACES), xmpp.VALUES), min_size=1, max_size=8)
often = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
seldom = settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def groups(places: Sequence[T]) -> list[Sequence[T]]:
    """Places that are tried on one database: to make one takes longer than to try them."""
    return [places[start : start + GROUP] for start in range(0, len(places), GROUP)]


def on(make: Callable[[], AbstractContextManager[SqlStage]], check: Callable[[StoredWorld], None]) -> None:
    """Check on a database of its own."""
    with make() as stage:
        check(StoredWorld(stage))


@often
@given(natives)
def test_native_requests_survive_in_sqlite(requests: list[Native]) -> None:
    on(fresh_sqlite, lambda world: native.check(requests, world))


@often
@given(stanzas)
def test_stanzas_survive_in_sqlite(requests: list[Stanza]) -> None:
    on(fresh_sqlite, lambda world: xmpp.check(requests, world))


@seldom
@given(natives)
def test_native_requests_survive_in_postgresql(requests: list[Native]) -> None:
    on(fresh_postgresql, lambda world: native.check(requests, world))


@seldom
@given(stanzas)
def test_stanzas_survive_in_postgresql(requests: list[Stanza]) -> None:
    on(fresh_postgresql, lambda world: xmpp.check(requests, world))


@pytest.mark.slow
@pytest.mark.parametrize("method", ["connect", "publish", "subscribe", "get", "erase", "disconnect"])
def test_every_place_of_a_native_request_takes_every_odd_text(method: str) -> None:
    for some in groups([each for each in native.PLACES if each[0].split()[0] == method]):
        requests = [(place, value) for place in some for value in native.TEXTS]
        on(fresh_sqlite, lambda world, requests=requests: native.check(requests, world))  # type: ignore[misc]


@pytest.mark.slow
@pytest.mark.parametrize("some", groups(xmpp.PLACES), ids=itertools.count())
def test_every_place_of_a_stanza_takes_every_odd_value(some: Sequence[Callable[[str], str]]) -> None:
    stanzas = [(place, odd) for place in some for odd in xmpp.ODD]
    on(fresh_sqlite, lambda world: xmpp.check(stanzas, world))
