"""Changes to sessions, login names and connections (operations §1.10)."""

from __future__ import annotations

from typing import Annotated

import msgspec

from broker.admin.actions.change import DONE, Body, ChangeDesk, Done, Request, broker_of, change_operation
from broker.admin.api.operations import Operation
from broker.admin.roles import Right
from broker.admin.subject import ended_by_administrator
from broker.admin.views.connections import find_connection, session_of
from broker.admin.views.sessions import find_session
from broker.core.broker import Remains
from broker.core.registry import CALLBACK
from broker.core.sessions import Session
from broker.errors import BrokerError, Code
from broker.model.qos import Overflow, QueueQos

MAX_SECONDS = 3_153_600_000
"""A hundred years."""
MAX_LIMIT = 2**53
SESSION = "/sessions/{subject}/{publicId}"


class EndSession(Body, frozen=True):
    """How a session is to end.

    Args:
        queue: what becomes of its queue: ``subject``, what is for the login name waits for another session of it and
            the rest becomes dead messages; ``dead``, all becomes dead messages; or ``discard``.
    """

    queue: Remains = Remains.SUBJECT


class Ended(msgspec.Struct, frozen=True):
    """A session has ended.

    Args:
        entries: that were in its queue.
    """

    entries: int


class Deliveries(Body, frozen=True):
    """Whether the queue of a session is delivered.

    Args:
        active: else it is held.
    """

    active: bool


class SessionLimits(Body, frozen=True):
    """What is to be changed of a session; what is not given stays.

    Args:
        timeout_seconds: without a request until it ends; 0 for never.
        max_entries: that its queue may hold.
        max_bytes: that these may count for.
        on_overflow: what its queue does with an entry more.
    """

    timeout_seconds: Annotated[float, msgspec.Meta(ge=0, le=MAX_SECONDS)] | None = None
    max_entries: Annotated[int, msgspec.Meta(ge=0, le=MAX_LIMIT)] | None = None
    max_bytes: Annotated[int, msgspec.Meta(ge=0, le=MAX_LIMIT)] | None = None
    on_overflow: Overflow | None = None


class Block(Body, frozen=True):
    """Logins of a login name are to be refused.

    Args:
        disconnect: close the connections that it has.
    """

    disconnect: bool = False


class Blocked(msgspec.Struct, frozen=True):
    """Logins are refused.

    Args:
        disconnected: connections that were closed.
    """

    disconnected: int


class SubjectLimits(Body, frozen=True):
    """Limits of a login name.

    Args:
        max_sessions: that it may have; 0 for what the configuration says.
    """

    max_sessions: int


def session_changes(desk: ChangeDesk) -> list[Operation]:
    """The operations.

    Args:
        desk: where they are made.
    """

    def session_named(
        request: Request[Body] | Request[EndSession] | Request[Deliveries] | Request[SessionLimits],
    ) -> Session:
        name = f"{request['subject']}/{request['publicId']}"
        found = find_session(broker_of(desk).node, request["subject"], request["publicId"])
        if found is None:
            raise BrokerError(Code.USER_OID_UNKNOWN, f"there is no session {name[:200]}")
        return found

    async def disconnect(request: Request[Body]) -> Done:
        broker_of(desk).control.disconnect(request.asker, session_named(request))
        return DONE

    async def end(request: Request[EndSession]) -> Ended:
        session = session_named(request)
        entries = len(session.queue)
        await broker_of(desk).end_session(request.asker, session, ended_by_administrator(), request.body.queue)
        return Ended(entries)

    async def deliveries(request: Request[Deliveries]) -> Done:
        broker_of(desk).control.set_active(request.asker, session_named(request), request.body.active)
        return DONE

    async def refresh(request: Request[Body]) -> Done:
        broker_of(desk).registry.note_request(session_named(request))
        return DONE

    async def change(request: Request[SessionLimits]) -> Done:
        body, session, control = request.body, session_named(request), broker_of(desk).control
        wanted = QueueQos(
            CALLBACK, max_entries=body.max_entries, max_bytes=body.max_bytes, on_overflow=body.on_overflow
        )
        control.limit_queue(request.asker, session, wanted)
        if body.timeout_seconds is not None:
            control.set_timeout(request.asker, session, round(body.timeout_seconds * 1000))
        return DONE

    async def block(request: Request[Block]) -> Blocked:
        broker = broker_of(desk)
        broker.registry.check_subject_name(request["name"])
        subject = broker.node.subject(request["name"])
        broker.control.block(request.asker, subject, True)
        attached = [each for each in subject.sessions.values() if each.dispatch.outbound is not None]
        if request.body.disconnect:
            for session in attached:
                broker.control.disconnect(request.asker, session)
        return Blocked(len(attached) if request.body.disconnect else 0)

    async def unblock(request: Request[Body]) -> Done:
        broker = broker_of(desk)
        subject = broker.node.subjects.get(request["name"])
        if subject is not None:
            broker.control.block(request.asker, subject, False)
        return DONE

    async def limit(request: Request[SubjectLimits]) -> Done:
        broker = broker_of(desk)
        if request.body.max_sessions < 0:
            raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, "maxSessions is 0 or more")
        broker.registry.check_subject_name(request["name"])
        broker.control.limit_sessions(request.asker, broker.node.subject(request["name"]), request.body.max_sessions)
        return DONE

    async def close(request: Request[Body]) -> Done:
        found = find_connection(desk.instance, request["id"])
        if found is None:
            raise BrokerError(Code.USER_OID_UNKNOWN, f"there is no connection {request['id'][:200]}")
        session = session_of(found.connection)
        if session is None:
            found.connection.close()
        else:
            broker_of(desk).control.disconnect(request.asker, session)
        return DONE

    return [
        change_operation(
            desk,
            "disconnectSession",
            "POST",
            f"{SESSION}/disconnect",
            Right.OPERATOR,
            "Close the connection of a session, which waits for its client.",
            "session.disconnect",
            Body,
            Done,
            disconnect,
        ),
        change_operation(
            desk,
            "endSession",
            "POST",
            f"{SESSION}/end",
            Right.OPERATOR,
            "End a session.",
            "session.end",
            EndSession,
            Ended,
            end,
        ),
        change_operation(
            desk,
            "setDeliveries",
            "POST",
            f"{SESSION}/deliveries",
            Right.OPERATOR,
            "Have the queue of a session delivered, or held.",
            "session.deliveries",
            Deliveries,
            Done,
            deliveries,
        ),
        change_operation(
            desk,
            "refreshSession",
            "POST",
            f"{SESSION}/refresh",
            Right.OPERATOR,
            "Let the time of a session without a request begin anew.",
            "session.refresh",
            Body,
            Done,
            refresh,
        ),
        change_operation(
            desk,
            "changeSession",
            "PATCH",
            SESSION,
            Right.OPERATOR,
            "Give a session another time without a request until it ends, or its queue other limits.",
            "session.change",
            SessionLimits,
            Done,
            change,
        ),
        change_operation(
            desk,
            "blockSubject",
            "POST",
            "/subjects/{name}/block",
            Right.ADMINISTRATOR,
            "Refuse logins of a login name until they are let in again.",
            "subject.block",
            Block,
            Blocked,
            block,
        ),
        change_operation(
            desk,
            "unblockSubject",
            "POST",
            "/subjects/{name}/unblock",
            Right.ADMINISTRATOR,
            "Let logins of a login name in again.",
            "subject.unblock",
            Body,
            Done,
            unblock,
        ),
        change_operation(
            desk,
            "limitSubject",
            "PATCH",
            "/subjects/{name}",
            Right.ADMINISTRATOR,
            "Limit the sessions of a login name.",
            "subject.limit",
            SubjectLimits,
            Done,
            limit,
        ),
        change_operation(
            desk,
            "closeConnection",
            "DELETE",
            "/connections/{id}",
            Right.OPERATOR,
            "Close a connection.",
            "connection.close",
            Body,
            Done,
            close,
        ),
    ]
