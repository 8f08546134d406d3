"""Records of the store that cannot be read: named, kept, and gone around (design D18)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from twisted.logger import Logger

from broker.errors import BrokerError
from broker.model.records import DocumentRecord, Unreadable

P = ParamSpec("P")
T = TypeVar("T")

log = Logger()

KEPT = "__setAside:"
"""Before the name of a record that is kept beside one which may be written anew."""
MAX_LISTED = 10_000
"""Records that are listed; further ones are named in the log, and counted."""


class SetAside:
    """What the store holds and this broker cannot read.

    Such a record costs itself and nothing else: it stays in the store as it is, for a program that can read it or for
    an administrator who mends it, and is read again at the next start. Nothing may be written under its key meanwhile:

    * sessions, subjects and topics are stored by numbers that are given once, so one of the same name that is made anew
      has a record and a queue of its own;
    * a subscription, whose id its client may choose again, and a document are kept under a name of their own;
    * what is queued for a session waits for its login name instead, so that the client that comes next gets it; entries
      of queues whose owner is not known stay as they are.

    Attributes:
        count: how many there are.
    """

    def __init__(self) -> None:
        self.count = 0
        self._listed: dict[tuple[str, str], Unreadable] = {}

    @property
    def records(self) -> list[Unreadable]:
        """What they are, in the order they were found."""
        return list(self._listed.values())

    def add(self, record: Unreadable) -> None:
        """Name a record in the log, once, and list it."""
        name = (record.kind, record.key)
        if name in self._listed:
            return
        self.count += 1
        if len(self._listed) < MAX_LISTED:
            self._listed[name] = record
        log.error(
            "{kind} {key} of the store is set aside: {reason}", kind=record.kind, key=record.key, reason=record.reason
        )

    def document(self, store: Any, record: DocumentRecord, read: Callable[[DocumentRecord], T]) -> T | None:
        """Read one document, or set it aside.

        Its owner may write another one of that name at any time, so a copy of it is kept beside it.

        Args:
            store: an :class:`broker.ports.IStore`.
            record: the document.
            read: as for :meth:`attempt`.
        """
        name = f"{record.owner}/{record.kind}/{record.name}"
        known = ("document", name) in self._listed
        found = self.attempt("document", name, read, record)
        if found is None and not known:
            kept = record._replace(kind=KEPT + record.kind, expires=0)
            self.attempt("document", name, store.put_document, kept)
        return found

    def attempt(self, kind: str, key: str, read: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        """Read one record, or set it aside.

        Args:
            kind: of the record.
            key: of the record.
            read: reads it; what it raises is logged and goes no further, whatever it is.
            args: for ``read``.
            kwargs: for ``read``.

        Returns:
            What ``read`` returns; ``None`` where the record is set aside.
        """
        try:
            return read(*args, **kwargs)
        except BrokerError as error:
            self.add(Unreadable(kind, key, str(error)))
        except Exception as error:  # noqa: BLE001 - one record must not keep all others from being read
            log.failure("{kind} {key} of the store cannot be read", kind=kind, key=key)
            self.add(Unreadable(kind, key, f"{type(error).__name__}: {str(error)[:200]}"))
        return None
