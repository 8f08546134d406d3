"""Dead messages."""

from __future__ import annotations

import msgspec

from broker.admin.moment import moment
from broker.admin.views.entries import Content, content_of
from broker.core.dead_letters import DeadGroup, Lost, group_of
from broker.core.dead_messages import DeadMessage
from broker.core.ids import NANOSECONDS
from broker.errors import BrokerError, code_of
from broker.model.property import find

Dead = DeadMessage | Lost


class Reason(msgspec.Struct, frozen=True):
    """Why a message died.

    Args:
        code: of the error.
        text: of the error.
    """

    code: str
    text: str


class DeadRow(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """A dead message.

    Args:
        id: of it.
        died_at: when it died.
        oid: of the topic that it was published on; empty for none.
        receiver: absolute name of the session or login name that did not get it.
        sender: absolute name of the session that had published it.
        reason: why.
        reason_group: of the reason.
        received_at: when the broker had taken it; absent where that is not known.
        replays: how often it was sent again before.
        volatile: it was not persistent, so nothing is kept but this, and that until the broker stops.
        size_bytes: of its content; absent where that is on disk and was not read.
        key: as XML; for operators.
        qos: as XML; for operators.
        content: for operators.
    """

    id: str
    died_at: str
    oid: str
    receiver: str
    sender: str
    reason: Reason
    reason_group: DeadGroup
    received_at: str | None = None
    replays: int = 0
    volatile: bool = False
    size_bytes: int | None = None
    key: str | None = None
    qos: str | None = None
    content: Content | None = None


def group_of_dead(dead: Dead) -> DeadGroup:
    """The group of the reason of a dead message."""
    return group_of(BrokerError(code_of(dead.code), dead.text))


def dead_row(dead: Dead, content_bytes: int | None) -> DeadRow:
    """What is told of a dead message.

    Args:
        dead: the message.
        content_bytes: of its content, so many at most; ``None`` for those who may not see it.
    """
    kept = dead if isinstance(dead, DeadMessage) else None
    told = kept is not None and content_bytes is not None
    size = dead.size if isinstance(dead, Lost) else len(dead.message.content)
    return DeadRow(
        str(dead.id),
        moment(dead.id // NANOSECONDS),
        dead.oid,
        dead.receiver,
        dead.sender,
        Reason(dead.code, dead.text),
        group_of_dead(dead),
        moment(dead.received // NANOSECONDS) if dead.received else None,
        0 if kept is None else kept.replays,
        kept is None,
        size or None,
        _property(kept, "__key") if told else None,
        _property(kept, "__qos") if told else None,
        None if kept is None or content_bytes is None else content_of(kept.message, content_bytes),
    )


def _property(dead: DeadMessage | None, name: str) -> str | None:
    found = None if dead is None else find(dead.message.qos.properties, name)
    return None if found is None else found.text
