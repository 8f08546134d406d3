"""A server and a manager that speak frames."""

from __future__ import annotations

import pytest

from tests.xmpp.managers.framed import Manager, Servers
from tests.xmpp.world import World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def servers(world: World) -> Servers:
    return Servers(world)


@pytest.fixture
def manager(servers: Servers) -> Manager:
    return servers.manager()
