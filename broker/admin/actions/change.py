"""The form that all changes have."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Generic, TypeVar

import msgspec
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from broker.admin.api.bodies import read_body
from broker.admin.api.gate import Actor, Gate
from broker.admin.api.operations import API, Operation, Parameter
from broker.admin.audit import HIDDEN, shown
from broker.admin.instance import Instance, core_of
from broker.admin.roles import Right
from broker.core.asker import Asker
from broker.core.audit_trail import Change
from broker.core.broker import Broker
from broker.errors import BrokerError, Code
from broker.logs.audit import audit
from broker.net.http.exchange import Answer, Call, json
from broker.net.http.routes import Cost

log = Logger()
T = TypeVar("T")
_PARAMETER = re.compile(r"\{(\w+)\}")


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel", kw_only=True):
    """What a change is asked with; changes that need more have a type of their own.

    Args:
        reason: why, for the log and the audit.
    """

    reason: str = ""


B = TypeVar("B", bound=Body)


class Done(msgspec.Struct, frozen=True):
    """What is answered where there is nothing to tell.

    Args:
        done: always true.
    """

    done: bool = True


DONE = Done()


A_co = TypeVar("A_co", bound=msgspec.Struct, covariant=True)


@dataclass(frozen=True, slots=True)
class Begun(Generic[A_co]):
    """The answer to what goes on: 202, with the place where it is told how far it is (RFC 9110 §15.3.3).

    Args:
        answer: what is told now.
        location: path of that place.
    """

    answer: A_co
    location: str


@dataclass(frozen=True, slots=True)
class ChangeDesk:
    """Where changes are made.

    Args:
        instance: the broker.
        gate: tells who asks.
    """

    instance: Instance
    gate: Gate

    def asker(self, call: Call) -> Asker:
        """Who asks."""
        return asker_of(self.gate.actor(call), call)


@dataclass(frozen=True, slots=True)
class Request(Generic[B]):
    """A change that was let in.

    Args:
        call: the request.
        body: of it.
        asker: who asks.
    """

    call: Call
    body: B
    asker: Asker

    def __getitem__(self, name: str) -> str:
        """A parameter of the path."""
        return self.call.parameters[name]


Do = Callable[[Request[B]], Awaitable[msgspec.Struct | Begun[msgspec.Struct]]]
"""Makes a change, and tells what to answer."""


def change_operation(
    desk: ChangeDesk,
    id: str,
    method: str,
    path: str,
    right: Right,
    summary: str,
    action: str,
    body: type[B],
    answer: type[msgspec.Struct],
    do: Do[B],
    *,
    status: HTTPStatus = HTTPStatus.OK,
    cost: Cost = Cost.CONSTANT,
    always: bool = False,
    target: Callable[[Request[B]], str] | None = None,
    told: Callable[[Request[B]], str] | None = None,
    parameters: tuple[Parameter, ...] = (),
    also: HTTPStatus | None = None,
    max_body: int = 0,
) -> Operation:
    """An operation that changes something.

    Args:
        desk: where it is made.
        id: of the operation.
        method: of HTTP; a ``DELETE`` has no body, and its reason is a parameter of the query.
        path: behind that of the API.
        right: who may.
        summary: one sentence.
        action: as the audit calls it, e.g. ``session.end``.
        body: type of the body; one whose members all have defaults may be left out.
        answer: type of the answer.
        do: makes the change.
        status: of the answer.
        cost: of making it.
        always: it is made at every run level, and also where it cannot be written down.
        target: what it changes, for the audit; by default what the path names.
        told: with which parameters, for the audit; by default the body.
        parameters: of the query.
        also: another status with an answer of the same type.
        max_body: bytes that the body may have; 0 for what all have.
    """
    takes_body = method != "DELETE"
    if not takes_body:
        parameters = (*parameters, Parameter("reason", {"type": "string", "description": "For log and audit."}))

    async def handler(call: Call) -> Answer:
        given = _body_of(call, body) if takes_body else body(reason=call.query.get("reason", ""))
        request = Request(call, given, desk.asker(call))
        named = target(request) if target is not None else _target_of(path, call)
        with_which = parameters_of(given) if told is None else told(request)
        change = Change(request.asker, action, named, with_which, given.reason)
        made = await _uninterrupted(_make(desk.instance, change, lambda: do(request), always=always))
        if isinstance(made, Begun):
            body_of_answer = msgspec.json.encode(made.answer)
            return Answer(body_of_answer, status=HTTPStatus.ACCEPTED, headers=(("Location", made.location),))
        return json(made, status)

    return Operation(
        id,
        method,
        f"{API}{path}",
        right,
        handler,
        summary,
        answer,
        parameters,
        cost=cost,
        any_level=always,
        also=also,
        max_body=max_body,
        body=body if takes_body else None,
        status=status,
    )


def broker_of(desk: ChangeDesk) -> Broker:
    """The core.

    Raises:
        BrokerError: ``resource.unavailable`` where the run level has none.
    """
    core = core_of(desk.instance)
    if core is None:
        raise BrokerError(Code.RESOURCE_UNAVAILABLE, "there is no core at this run level")
    return core


async def note_reading(desk: ChangeDesk, call: Call, action: str, target: str, parameters: str = "") -> None:
    """Write down that somebody reads contents, before they are told.

    Args:
        desk: where it is asked.
        call: the request.
        action: e.g. ``queue.peek``.
        target: what is read.
        parameters: of the reading.

    Raises:
        BrokerError: ``resource.db.unavailable`` where it cannot be written down.
    """
    async with broker_of(desk).node.trail.change(Change(desk.asker(call), action, target, parameters)):
        pass


def asker_of(actor: Actor, call: Call) -> Asker:
    """Who asks, as the core and the audit know them."""
    via = actor.via if actor.token is None else f"{actor.via} {actor.token.id}"
    return Asker(actor.name, actor.role.label, via, call.peer.host, call.id)


def parameters_of(body: Body) -> str:
    """What a change is asked with, as the audit has it: neither secrets nor contents, and no reason, which it has."""
    kept = {name: value for name, value in _visible(msgspec.to_builtins(body)).items() if name != "reason"}
    return msgspec.json.encode(kept).decode() if kept else ""


def _visible(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _visible_member(name, each) for name, each in value.items()}
    return [_visible(each) for each in value] if isinstance(value, list) else value


def _visible_member(name: str, value: Any) -> Any:
    if name.startswith("content"):
        return HIDDEN
    return shown(name, value) if isinstance(value, str) else _visible(value)


def _body_of(call: Call, type: type[B]) -> B:
    if not call.body and not any(field.required for field in msgspec.structs.fields(type)):
        return type()
    return read_body(call, type)


def _target_of(path: str, call: Call) -> str:
    """What a path names: ``sessions/joe/1`` of ``/sessions/joe/1/end``."""
    segments = [call.parameters[each[1:-1]] if _PARAMETER.fullmatch(each) else each for each in path[1:].split("/")]
    last = max((number for number, each in enumerate(path[1:].split("/")) if _PARAMETER.fullmatch(each)), default=-1)
    return "/".join(segments[: last + 1])


async def _make(instance: Instance, change: Change, do: Callable[[], Awaitable[T]], *, always: bool) -> T:
    core = core_of(instance)
    if core is None:  # there is no table yet
        audit(change.action, {"principal": change.asker.principal, "via": change.asker.via, "target": change.target})
        return await do()
    async with core.node.trail.change(change, always=always):
        return await do()


def _uninterrupted(work: Coroutine[Any, Any, T]) -> Deferred[T]:
    """What is begun is brought to its end, though the peer that has asked for it goes away."""
    told: Deferred[T] = Deferred()

    def tell(result: T | Failure) -> None:
        if not told.called:
            told.callback(result)
        elif isinstance(result, Failure):
            log.failure("a change failed whose asker has gone", result)

    Deferred.fromCoroutine(work).addBoth(tell)
    return told
