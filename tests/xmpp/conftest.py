"""Worlds that several plays begin with."""

from __future__ import annotations

import pytest

from tests.xmpp.world import World, settings


@pytest.fixture
def quiet() -> World:
    """A world whose server asks for nothing, and whose clients may be silent."""
    return World(settings(sm_ask=False, idle=-1))
