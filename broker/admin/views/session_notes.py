"""What is to be said of a session whether or not anything waits for it (operations §1.7)."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from enum import StrEnum
from itertools import chain, islice

import msgspec

from broker.core.broker import Broker
from broker.core.hindrances import Hindrance, Wait
from broker.core.sessions import Session
from broker.core.subject_queues import Fate

MAX_LOOKED_AT = 1000
"""Entries whose fate is worked out for a row."""


class NoteCode(StrEnum):
    """What there is to be said."""

    PERSISTENCE_REFUSED = "persistenceRefused"
    PLACEHOLDER = "placeholder"
    ACCOUNT_REMOVED = "accountRemoved"


class SessionNote(msgspec.Struct, frozen=True):
    """Something that is to be said of a session.

    Args:
        code: what.
        detail: one sentence.
    """

    code: NoteCode
    detail: str


def note_of(broker: Broker, session: Session) -> SessionNote | None:
    """What is to be said of a session; ``None`` for nothing.

    Args:
        broker: the core.
        session: itself.
    """
    name = session.name.subject
    if broker.account_changes.is_removing(name):
        text = f"the account {name} was removed, and not all of it is gone yet; the log says why"
        return SessionNote(NoteCode.ACCOUNT_REMOVED, text)
    if session.placeholder:
        text = "it was made for a message that was forced to it, and nobody has logged in to it yet"
        return SessionNote(NoteCode.PLACEHOLDER, text)
    if session.why_transient:
        text = f"its client has asked for a persistent session, and it is not: {session.why_transient}"
        return SessionNote(NoteCode.PERSISTENCE_REFUSED, text)
    return None


def with_fates(broker: Broker, session: Session, waits: list[Wait]) -> list[Wait]:
    """Waits, and of a stream that waits to be resumed also what becomes of its messages if it is not.

    Args:
        broker: the core.
        session: that waits.
        waits: why.
    """
    if not any(each.code is Hindrance.DETACHED_STREAM for each in waits):
        return waits
    queue, queues = session.queue, broker.registry.subject_queues
    entries = islice(chain(session.dispatch.outstanding, queue.peek(MAX_LOOKED_AT)), MAX_LOOKED_AT)
    fates = Counter(queues.fate(session, each) for each in entries)
    known = {
        "toSubject": fates[Fate.SUBJECT],
        "dead": fates[Fate.DEAD],
        "dropped": fates[Fate.DROPPED],
        "notLookedAt": queue.entries - fates.total(),
    }
    return [
        replace(each, params={**each.params, **known}) if each.code is Hindrance.DETACHED_STREAM else each
        for each in waits
    ]
