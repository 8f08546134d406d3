"""The interfaces between the layers (design §2). Concrete classes are wired together in :mod:`broker.app` only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from broker.model.records import FIRST_EXPIRED

if TYPE_CHECKING:
    from broker.model.connect import Credentials
    from broker.model.records import (
        AccountRecord,
        DocumentRecord,
        EntryRecord,
        ExpiredPlace,
        ExpiredRecord,
        MessageRecord,
        Recovered,
        SessionRecord,
        SubjectRecord,
        SubscriptionRecord,
        TopicRecord,
        Unreadable,
    )


class IStore(Interface):
    """Durable state (design D2–D6). All methods are called in the reactor thread.

    Appending is synchronous and cheap: it adds to the open batch. The store commits what has gathered as one
    transaction, one transaction after the other, in order. What is put and settled inside one batch is never written
    (design D4). Messages whose last entry is settled are deleted in the same transaction (design D5).
    """

    before_commit: Callable[[bool], None] | None = Attribute(
        "Called when the open batch is about to be closed for its commit, so that what is due in this turn goes into"
        " it. It may append. Its argument is whether a question closes the batch amid a turn: whoever asked is not done"
        " yet, and must not be met in the midst of it."
    )
    on_unreadable: Callable[[Unreadable], None] = Attribute("Told of documents that are none, when they are read.")
    position: int = Attribute("Number of the last appended operation; grows by at least one with every append.")
    committed: int = Attribute("All operations up to this position are on disk.")
    backlog: int = Attribute("Bytes of message contents that are appended and not yet committed.")
    failure: Any = Attribute(
        "The BrokerError that keeps the store from committing, or None. Cleared when it works again."
    )

    def open() -> Deferred[None]:
        """Open the database and bring its schema up to date.

        Fires when the store may be used; fails with ``resource.db.*`` where the database can not be reached, or
        ``resource.configuration`` where its schema is newer than this program.
        """

    def close() -> Deferred[None]:
        """Commit what has gathered and let go of the database."""

    def when_committed(position: int, callback: Callable[[], None]) -> None:
        """Call back (in order of position) once everything up to ``position`` is on disk; at once if it is already."""

    def end_turn() -> None:
        """All that this turn appends is appended: a commit that somebody waits for may begin."""

    def recover() -> Deferred[Recovered]:
        """Delete transient entries and messages without entries, then read everything but messages.

        Rows that are no records are left where they are, and told (:attr:`Recovered.unreadable`); a failure of the
        database itself is one of the Deferred.
        """

    def beat(now: int) -> None:
        """Note that the broker is running at ``now`` (ms since 1970)."""

    def put_subject(record: SubjectRecord) -> None:
        """Insert or replace."""

    def delete_subject(id: int) -> None:
        """Delete; entries of its queue must be settled or moved first."""

    def put_session(record: SessionRecord) -> None:
        """Insert or replace by id."""

    def delete_session(id: int) -> None:
        """Delete the session and its subscriptions; entries of its queue must be settled or moved first."""

    def put_subscription(record: SubscriptionRecord) -> None:
        """Insert or replace by id."""

    def delete_subscription(id: str) -> None:
        """Delete."""

    def put_topic(record: TopicRecord) -> None:
        """Insert or replace by id."""

    def delete_topic(id: int) -> None:
        """Delete; entries of its history must be settled first."""

    def put_entry(record: EntryRecord, message: MessageRecord | None = None) -> None:
        """Insert an entry, with its message unless that was put with an entry before, which is not settled."""

    def settle(queue_id: int, rank: int, seq: int, message_id: int) -> None:
        """Delete an entry, and its message with the last entry that refers to it."""

    def settle_all(queue_id: int) -> None:
        """Delete all entries of a queue (also those of the open batch), and messages nothing refers to any more."""

    def move_all(queue_id: int, target: int, flags_mask: int) -> None:
        """Hand all entries of a queue (also those of the open batch) to another one, keeping rank and seq.

        ``flags_mask`` is and-ed to their flags.
        """

    def set_redeliver(queue_id: int, rank: int, seq: int, redeliver: int) -> None:
        """Note a failed delivery of an entry."""

    def set_number(queue_id: int, rank: int, seq: int, number: int) -> None:
        """Note the number under which an entry is sent (design D9)."""

    def set_flags(queue_id: int, rank: int, seq: int, flags: int) -> None:
        """Note other flags of an entry; it may have been settled meanwhile."""

    def put_handled(session_id: int, handled: int) -> None:
        """Note how many stanzas of a session's client are handled; deleted with the session (design D9)."""

    def put_document(record: DocumentRecord) -> None:
        """Insert or replace by owner, kind and name."""

    def delete_document(owner: str, kind: str, name: str) -> None:
        """Delete."""

    def read_documents(owner: str, kind: str) -> Deferred[list[DocumentRecord]]:
        """Read documents by name; everything appended before is seen. An empty owner reads those of all owners.

        Rows that are no records are left out, and told to ``on_unreadable``.
        """

    def purge_documents(now: int) -> None:
        """Delete documents with ``0 < expires <= now`` (ms since 1970)."""

    def read_entries(
        queue_id: int, rank: int, after: int, limit: int, most_bytes: int = -1
    ) -> Deferred[list[tuple[EntryRecord, MessageRecord]]]:
        """Read entries of one queue and rank with ``seq > after`` in order of ``seq``, at most ``limit``.

        The last one is that whose size (:attr:`EntryRecord.size`) makes the sum reach ``most_bytes``, so what is read
        exceeds them by less than one entry; negative for any number of bytes.

        Everything appended before the call is committed first and so is seen. Fires with a list of
        ``(EntryRecord, MessageRecord)``.
        """

    def read_headers(
        queue_id: int, rank: int, after: int, limit: int
    ) -> Deferred[list[tuple[EntryRecord, MessageRecord]]]:
        """Read as :meth:`read_entries` does, but no contents: these are empty."""

    def read_expired(
        now: int, limit: int, most_bytes: int, after: ExpiredPlace = FIRST_EXPIRED
    ) -> Deferred[list[ExpiredRecord]]:
        """Read entries of messages with ``0 < expires <= now`` (ms since 1970), longest expired first; no contents.

        Args:
            now: milliseconds since 1970.
            limit: most entries.
            most_bytes: the last entry is that whose key and QoS make the sum reach this.
            after: goes on behind the entry that had this :attr:`ExpiredRecord.place`.
        """

    def put_account(record: AccountRecord) -> Deferred[None]:
        """Insert or replace an account; fires when it is on disk."""

    def delete_account(name: str) -> Deferred[bool]:
        """Delete an account; fires with whether there was one."""

    def get_account(name: str) -> Deferred[AccountRecord | None]:
        """Read an account as it is on disk now (another process may have changed it)."""

    def list_accounts() -> Deferred[list[AccountRecord]]:
        """All accounts by name."""


class IAuthenticator(Interface):
    """Checks who somebody is (design D13)."""

    def authenticate(credentials: Credentials, host: str) -> Deferred[None]:
        """Check credentials that came from the peer address ``host``.

        Fires with ``None``; fails with ``user.security.authentication.accessDenied``. Takes the same time for an
        unknown user as for a wrong password.
        """


class IAuthorizer(Interface):
    """Decides what an authenticated subject may do."""

    def permits(subject: str, method: str, target: str) -> bool:
        """Whether ``subject`` may call ``method`` on ``target``.

        ``target`` is the query in short notation (``exact:Hello``, ``xpath:…``, ``domain:…``) or empty.
        """


class IOutbound(Interface):
    """A connection that deliveries of one session can be written to (design D6)."""

    writable: bool = Attribute(
        "False while the transport's buffer is full; Session.dispatch.resume() is called when it drains."
    )

    def deliver(entries: Sequence[Any], oneway: bool) -> None:
        """Write one update with these queue entries.

        Unless ``oneway``, the session's dispatch is told ``acknowledged()``, ``refused(error)`` or ``lost(error)``.
        """

    def deliver_oneway(entries: Sequence[Any]) -> None:
        """Write an update for each of these queue entries; none is answered."""

    def ping() -> None:
        """Ask whether the client is there; its dispatch is told ``ponged()`` or ``lost(error)``."""

    def close(reason: str) -> None:
        """Let go of the connection because another one owns the session now, or the session ended."""


class IDialer(Interface):
    """Makes an :class:`IOutbound` to a callback server that the client named (spec xmlblaster §4.1)."""

    def dial(session: Any) -> Deferred[Any]:
        """Connect to the session's callback address; fires with an IOutbound."""


class IPlugin(Interface):
    """What the plugin file names: a small service with a life between two run levels (spec xmlblaster §14)."""

    async def start() -> None:
        """Begin to work; raises BrokerError where it can not."""

    async def stop() -> None:
        """Let go of everything that ``start`` took."""

    def ports() -> Sequence[tuple[str, str, int]]:
        """Listening ports as ``(name, host, port)``; empty for most."""


class IPluginFactory(Interface):
    """Callable that makes a plugin."""

    def __call__(context: Any, plugin_id: str, attributes: dict[str, str]) -> Any:
        """Make the plugin (an :class:`IPlugin`).

        ``context`` is the :class:`broker.app.Application`, ``attributes`` the replaced ``<attribute>`` texts.
        """
