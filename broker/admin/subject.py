"""Attributes of a login name (spec xmlblaster §16.1)."""

from __future__ import annotations

from collections import Counter

from broker.admin.attributes import Attributes
from broker.admin.values import date, to_boolean, to_number
from broker.core.broker import Broker
from broker.core.quotas import UNLIMITED, Usage
from broker.core.sessions import Session
from broker.core.subjects import Subject
from broker.errors import BrokerError, Code
from broker.xml.names import NAMES


def ended_by_administrator() -> BrokerError:
    """Why a session ends that an administrator ends."""
    return BrokerError(Code.USER_NOT_CONNECTED, "an administrator ended the session")


def quotas_of(usage: Usage) -> list[str]:
    """What an account uses of what it may, as ``topics=3/10000``."""
    rows = [*usage.rows, *NAMES.usage(usage.account)]
    return [f"{name}={used}/{'unlimited' if most == UNLIMITED else most}" for name, used, most in rows]


def subject_attributes(broker: Broker, administrator: Session) -> Attributes[Subject]:
    """The attributes of a login name.

    Args:
        broker: the core.
        administrator: who asks.
    """
    control = broker.control

    def limit_sessions(subject: Subject, value: str) -> None:
        control.limit_sessions(administrator, subject, to_number(value, 1))

    def block(subject: Subject, value: str) -> None:
        control.block(administrator, subject, to_boolean(value))

    async def block_and_disconnect(subject: Subject, argument: str) -> str:
        control.block(administrator, subject, True)
        sessions: list[Session] = list(subject.sessions.values())
        for session in sessions:
            control.disconnect(administrator, session)
        return f"{len(sessions)} sessions"

    async def kill(subject: Subject, argument: str) -> str:
        sessions: list[Session] = list(subject.sessions.values())
        for session in sessions:
            await broker.end_session(administrator, session, ended_by_administrator())
        return f"{len(sessions)} sessions"

    async def documents(subject: Subject) -> list[str]:
        found = await broker.documents.read(subject.name, "")
        kinds = Counter(each.kind for each in found)
        return [
            f"{kind}={count}:{sum(len(each.data) for each in found if each.kind == kind)}"
            for kind, count in sorted(kinds.items())
        ]

    return Attributes(
        readers={
            "documents": documents,
            "loginName": lambda subject: subject.name,
            "uptime": lambda subject: (broker.node.now() - subject.created) // 1000,
            "creationDate": lambda subject: date(subject.created),
            "numSessions": lambda subject: len(subject.sessions),
            "maxSessions": lambda subject: subject.max_sessions,
            "sessionList": lambda subject: subject.sessions,
            "sessions": lambda subject: subject.sessions,
            "numUpdate": lambda subject: subject.total("updates", "oneway_updates"),
            "subjectQueueNumMsgs": lambda subject: len(subject.queue),
            "subjectQueueBytes": lambda subject: subject.queue.bytes,
            "subjectQueueMaxMsgs": lambda subject: subject.queue.limits.entries,
            "blockClientLogin": lambda subject: subject.blocked,
            "quotas": lambda subject: [
                f"sessions={subject.count(placeholders=True)}/{subject.session_limit}",
                *quotas_of(subject.usage),
            ],
        },
        writers={"maxSessions": limit_sessions, "blockClientLogin": block},
        operations={
            "blockClientAndResetConnections": block_and_disconnect,
            "killClient": kill,
            "killClientNoThrow": kill,
        },
    )
