"""Login names that are known now: they have sessions or messages, or administration has limited them."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from broker.admin.filtering import by_truth
from broker.admin.listing import Collection, Sort
from broker.admin.moment import moment
from broker.core.node import Node
from broker.core.subjects import Subject


class SubjectRow(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """A login name.

    Args:
        name: the login name.
        sessions: that it has now.
        max_sessions: that it may have.
        queue_entries: messages that wait for the first session that takes them.
        limited: administration has set ``maxSessions``.
        blocked_at: since when its logins are refused; absent where they are not.
    """

    name: str
    sessions: int
    max_sessions: int
    queue_entries: int
    limited: bool = False
    blocked_at: str | None = None


def subjects(node: Callable[[], Node]) -> Collection[Subject]:
    """The collection.

    Args:
        node: that knows them.
    """
    return Collection(
        objects=lambda: list(node().subjects.values()),
        id_of=lambda subject: subject.name,
        row_type=SubjectRow,
        row=subject_row,
        sorts={
            "name": Sort(lambda subject: subject.name, is_text=True),
            "sessions": Sort(lambda subject: len(subject.clients)),
            "queueEntries": Sort(lambda subject: subject.queue.entries),
        },
        default_sort="name",
        filters={
            "blocked": by_truth(lambda subject: subject.blocked),
            "limited": by_truth(lambda subject: subject.is_limited),
        },
    )


def subject_row(subject: Subject) -> SubjectRow:
    """What is told of a login name."""
    return SubjectRow(
        subject.name,
        len(subject.clients),
        subject.session_limit,
        subject.queue.entries,
        subject.is_limited,
        moment(subject.blocked_at) if subject.blocked else None,
    )
