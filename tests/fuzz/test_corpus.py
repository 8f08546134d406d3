"""Every kept input, and bytes that hypothesis makes, pass through the fuzz targets; `make fuzz` looks for more."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz import registry

EXAMPLES = 250
WORLDS = {"manager_frames", "manager_routes", "native_bytes", "native_requests", "xmpp_login", "xmpp_services"}
"""Targets that stand up a broker for each input."""
MAX_INPUTS = 500
LONGEST_INPUT = 64 * 1024

load = cache(registry.load)


def kept() -> list[Path]:
    return sorted(registry.CORPUS.glob("*/*"))


@pytest.mark.parametrize("name", registry.names())
def test_kept_inputs_break_nothing(name: str) -> None:
    target = load(name)
    assert target.kept, "a target without an input begins with nothing"
    for path in target.kept:
        target.run(path.read_bytes())


@pytest.mark.slow
@pytest.mark.parametrize("name", registry.names())
def test_any_bytes_break_nothing(name: str) -> None:
    target = load(name)
    tokens = st.sampled_from(target.tokens or (b"\0",))
    pieces = st.lists(tokens | st.binary(max_size=12), max_size=40).map(b"".join)

    @settings(max_examples=EXAMPLES // 4 if name in WORLDS else EXAMPLES)
    @given(st.binary(max_size=target.longest) | pieces)
    def run(data: bytes) -> None:
        target.run(data[: target.longest])

    run()


@pytest.mark.slow
@pytest.mark.parametrize("name", registry.names())
def test_mutated_inputs_break_nothing(name: str) -> None:
    # given a kept input, of which a part is replaced: so one gets deeper than by chance alone
    target = load(name)
    inputs = [path.read_bytes() for path in target.kept]
    tokens = st.sampled_from(target.tokens or (b"\0",))

    @settings(max_examples=EXAMPLES // 4 if name in WORLDS else EXAMPLES)
    @given(st.sampled_from(inputs), st.integers(0, 4096), st.integers(0, 64), tokens | st.binary(max_size=16))
    def run(data: bytes, at: int, size: int, piece: bytes) -> None:
        start = at % (len(data) + 1)
        target.run((data[:start] + piece + data[start + size :])[: target.longest])

    run()


def test_the_corpus_is_small() -> None:
    assert len(kept()) <= MAX_INPUTS
    assert max(path.stat().st_size for path in kept()) <= LONGEST_INPUT


def test_every_directory_of_the_corpus_belongs_to_a_target() -> None:
    assert {path.parent.name for path in kept()} == set(registry.names())
