"""Run level, plugins and listeners: what of the broker runs (operations §1.6, §1.14)."""

from __future__ import annotations

import gc
from http import HTTPStatus
from time import perf_counter
from typing import Annotated

import msgspec

from broker.admin.actions.change import DONE, Body, ChangeDesk, Done, Request, change_operation
from broker.admin.api.bodies import wrong_member
from broker.admin.api.lists import get_operation
from broker.admin.api.operations import API, Operation
from broker.admin.instance import Instance
from broker.admin.roles import Right
from broker.admin.views.plugins import PluginList, PluginRow, plugin_rows
from broker.errors import BrokerError, Code
from broker.net.http.exchange import Answer, Call, json
from broker.net.listener import Listener
from broker.runlevels.levels import HALTED, SELECTABLE, name_of

ANSWER_SECONDS = 0.1
"""Before the broker ends, so that the answer still arrives."""
MAX_GRACE = 3600


class RunLevel(msgspec.Struct, frozen=True, omit_defaults=True):
    """The run level.

    Args:
        level: that is reached.
        name: of it.
        selectable: levels that can be gone to.
        changing: level that it is on the way to; absent where it is on no way.
    """

    level: int
    name: str
    selectable: list[int]
    changing: int | None = None


class NewRunLevels(Body, frozen=True):
    """Levels to go to.

    Args:
        levels: one after the other; ``[3, 9]`` goes down and up again. The last one is not 0: at that nothing is left
            that could be asked to come up again.
    """

    levels: list[int]


class Shutdown(Body, frozen=True):
    """How the broker is to end.

    Args:
        grace_seconds: in which no new connection is let in, and those that are there go on.
    """

    grace_seconds: Annotated[int, msgspec.Meta(ge=0, le=MAX_GRACE)] = 30


class Collected(msgspec.Struct, frozen=True, rename="camel"):
    """Memory was looked through for what nobody refers to any more.

    Args:
        objects: that were let go of.
        took_milliseconds: in which the broker did nothing else.
    """

    objects: int
    took_milliseconds: float


class ListenerChange(Body, frozen=True):
    """What is to be changed of a listener.

    Args:
        accepting: new connections are let in; those that are there stay in any case.
    """

    accepting: bool


class Accepting(msgspec.Struct, frozen=True):
    """Whether a listener lets connections in.

    Args:
        name: of the listener.
        accepting: new connections are let in.
        connections: that are there.
    """

    name: str
    accepting: bool
    connections: int


def running_operations(desk: ChangeDesk) -> list[Operation]:
    """The operations.

    Args:
        desk: where changes are made.
    """

    async def tell_level(call: Call) -> Answer:
        return json(_level(desk.instance))

    async def change_level(request: Request[NewRunLevels]) -> RunLevel:
        levels = request.body.levels
        if not levels or any(each not in SELECTABLE for each in levels):
            raise wrong_member("/levels", f"levels are {', '.join(map(str, SELECTABLE))}")
        if levels[-1] == HALTED:
            raise wrong_member("/levels", "at level 0 nothing could bring the broker up again: stop its process")
        desk.instance.request_run_levels(levels)
        return _level(desk.instance)

    async def shut_down(request: Request[Shutdown]) -> Done:
        for _, listener in desk.instance.listeners():
            listener.admission.draining = True
        desk.instance.reactor.callLater(max(request.body.grace_seconds, ANSWER_SECONDS), desk.instance.shut_down)
        return DONE

    async def collect(request: Request[Body]) -> Collected:
        began = perf_counter()
        objects = gc.collect()
        return Collected(objects, round((perf_counter() - began) * 1000, 1))

    async def list_plugins(call: Call) -> Answer:
        return json(PluginList(plugin_rows(desk.instance.run_levels)))

    def plugin(call: Call) -> PluginRow | None:
        rows = plugin_rows(desk.instance.run_levels)
        return next((each for each in rows if each.id == call.parameters["id"]), None)

    async def change_listener(request: Request[ListenerChange]) -> Accepting:
        name = request["name"]
        listener: Listener | None = dict(desk.instance.listeners()).get(name)
        if listener is None:
            raise BrokerError(Code.USER_OID_UNKNOWN, f"there is no listener {name[:200]}")
        listener.admission.draining = not request.body.accepting
        return Accepting(name, request.body.accepting, len(listener.connections))

    return [
        Operation(
            "getRunLevel",
            "GET",
            f"{API}/run-level",
            Right.MONITORING,
            tell_level,
            "The run level.",
            RunLevel,
            any_level=True,
        ),
        change_operation(
            desk,
            "setRunLevel",
            "PUT",
            "/run-level",
            Right.ADMINISTRATOR,
            "Go to other run levels soon; below 9 no client is served.",
            "runLevel.change",
            NewRunLevels,
            RunLevel,
            change_level,
            status=HTTPStatus.ACCEPTED,
            always=True,
            target=lambda request: "",
        ),
        change_operation(
            desk,
            "shutDown",
            "POST",
            "/shutdown",
            Right.ADMINISTRATOR,
            "Let no new connections in, and end the broker after a while.",
            "broker.shutDown",
            Shutdown,
            Done,
            shut_down,
            status=HTTPStatus.ACCEPTED,
            always=True,
            target=lambda request: "",
        ),
        change_operation(
            desk,
            "collectGarbage",
            "POST",
            "/gc",
            Right.ADMINISTRATOR,
            "Look through memory for what nobody refers to any more.",
            "broker.collectGarbage",
            Body,
            Collected,
            collect,
            target=lambda request: "",
        ),
        Operation(
            "listPlugins",
            "GET",
            f"{API}/plugins",
            Right.MONITORING,
            list_plugins,
            "Plugins, in the order of their start.",
            PluginList,
            any_level=True,
        ),
        get_operation("getPlugin", "/plugins/{id}", "One plugin.", PluginRow, plugin, "plugin"),
        change_operation(
            desk,
            "changeListener",
            "PATCH",
            "/listeners/{name}",
            Right.OPERATOR,
            "Let new connections of a listener in, or not (drain).",
            "listener.change",
            ListenerChange,
            Accepting,
            change_listener,
        ),
    ]


def _level(instance: Instance) -> RunLevel:
    levels = instance.run_levels
    return RunLevel(levels.level, name_of(levels.level), list(SELECTABLE), levels.target)
