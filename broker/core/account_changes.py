"""What is changed of accounts has its effect on what these have here: sessions, messages, documents, topics."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from twisted.internet.defer import ensureDeferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from broker.core.asker import Asker
from broker.core.audit_trail import Change
from broker.errors import BrokerError, Code
from broker.model.records import BY_ADMINISTRATION, AccountAction
from broker.timers import cancel
from broker.waiters import Waiters

if TYPE_CHECKING:
    from broker.core.documents import Documents
    from broker.core.node import Node
    from broker.core.querying import Querying
    from broker.core.registry import SessionRegistry
    from broker.core.subjects import Subject
    from broker.model.records import AccountChange

log = Logger()

LOOK_INTERVAL = 1000
"""Milliseconds between two looks at what other programs have changed."""
MAX_NOTED = 10_000
"""Names whose last change is remembered for logins that have begun before it."""


class AccountChanges:
    """Looks for changes of accounts, which other programs make, and sees to them; the audit has a line for each.

    Nothing of an account that is removed is left for one that gets its name later. Whoever knew the password before it
    was changed, or a secret id that was given for it, must know the new one.

    Args:
        node: shared state.
        registry: of the sessions.
        documents: of the accounts.
        querying: erases topics.

    Attributes:
        seen: how many changes had their effect.
        looks: awaited before each look; what else may have changed is looked for there (:meth:`renew_where`).
        on_removed: awaited with the name of each account that is removed, when its sessions have ended and its
            documents are still there; each tongue adds what it has to do with those of others.
        on_role_changed: called with the name of each account that has another role in administration.
        on_renewed: called when accounts have another password, or none any more, with what tells whether a login name
            is one of these.
    """

    def __init__(self, node: Node, registry: SessionRegistry, documents: Documents, querying: Querying) -> None:
        self._node = node
        self._registry = registry
        self._documents = documents
        self._querying = querying
        self.looks: list[Callable[[], Awaitable[object]]] = []
        self.on_removed: list[Callable[[str], Awaitable[None]]] = []
        self.on_role_changed: list[Callable[[str], None]] = []
        self._has_roles = False
        self.on_renewed: list[Callable[[Callable[[str], bool]], None]] = []
        self._asking = Waiters()
        self._looking = False
        self._done: set[str] = set()
        self._failed: set[str] = set()
        self.seen = 0
        self._last: OrderedDict[str, int] = OrderedDict()  # by name: the number of its last change
        self._look: IDelayedCall | None = None

    async def apply(self) -> None:
        """See to all that was changed until now; while the store fails, to what is known of it by the next look.

        Whoever asks while a look goes on waits for the next one, which all share who ask until it begins: the one that
        goes on may have read before the change was made.
        """
        answered = self._asking.next()
        if not self._looking:
            self._looking = True
            self._node.later(0, self._answer)  # with all who ask in this turn
        await answered

    def _answer(self) -> None:
        ensureDeferred(self._look_while_asked())

    async def _look_while_asked(self) -> None:
        while self._asking:
            asking, self._asking = self._asking, Waiters()
            try:
                await self._see_to_all()
            except Exception:  # noqa: BLE001 - those who have asked get it
                asking.fail(Failure())
            else:
                asking.tell()
        self._looking = False

    async def _see_to_all(self) -> None:
        for look in self.looks:
            await look()
        try:
            changes = await self._node.store.read_account_changes()
            roles = await self._node.store.list_roles() if changes and self._has_roles else {}
        except BrokerError as error:
            if not error.is_resource:  # the store itself says that it fails
                raise
            return
        # Those whose end was appended may still be in their table.
        self._done.intersection_update(each.id for each in changes)
        failed: set[str] = set()
        for change in changes:
            if change.id in self._done or change.name in failed:  # the changes of an account have an order
                continue
            try:
                await self._see_to(change, roles.get(change.name, ""))
            except Exception:  # noqa: BLE001 - it is logged, and keeps nobody else from logging in
                log.failure("what was changed of {name} has no effect yet", name=change.name)
                self._failed.add(change.name)
                failed.add(change.name)
                continue
            self._audit(change)
            self._failed.discard(change.name)
            self._done.add(change.id)
            self._node.store.forget_account_change(change.id)

    def changed(self, name: str, since: int) -> bool:
        """Whether an account has changed since :attr:`seen` was this."""
        return self._last.get(name, 0) > since

    def check(self, name: str) -> None:
        """Refuse a login name whose change could not be seen to: it would get what is left of another account.

        Raises:
            BrokerError: ``resource.temporary.unavailable``.
        """
        if name in self._failed:
            raise BrokerError(Code.RESOURCE_TEMPORARY_UNAVAILABLE, "the account is being removed, try again later")

    def is_removing(self, name: str) -> bool:
        """Whether not all is gone yet of an account that was removed or changed."""
        return name in self._failed

    async def read_roles(self) -> None:
        """Know the roles of accounts from now on, which are those of the store."""
        self._has_roles = True
        self._node.roles.update(await self._node.store.list_roles())

    async def _see_to(self, change: AccountChange, role: str) -> None:
        match change.action:
            case AccountAction.REMOVED:
                await self.remove(change.name)
            case AccountAction.PASSWORD:
                self.renew(change.name)
        if self._has_roles:
            self._take_role(change.name, role)

    def _take_role(self, name: str, role: str) -> None:
        if role == self._node.roles.get(name, ""):
            return
        if role:
            self._node.roles[name] = role
        else:
            del self._node.roles[name]
        for listener in self.on_role_changed:
            listener(name)

    def _audit(self, change: AccountChange) -> None:
        if change.by == BY_ADMINISTRATION:
            return
        at = datetime.fromtimestamp(change.at / 1000, UTC).isoformat(timespec="seconds") if change.at else ""
        done = Change(Asker(change.by, via="command"), f"user.{change.action}", change.name)
        self._node.trail.note(done, at=change.at, more={"at": at})

    def start(self) -> None:
        """Look again and again from now on."""
        self._look = self._node.later(LOOK_INTERVAL, self._look_now)

    def stop(self) -> None:
        """Look no more."""
        cancel(self._look)
        self._look = None

    def renew(self, name: str) -> None:
        """An account has another password: its clients must log in anew."""
        self._note(name)
        subject = self._node.subjects.get(name)
        for session in list(subject.sessions.values()) if subject is not None else ():
            session.kind.password_changed(session)
        self._tell_renewed(lambda user: user == name)
        log.info("{name} has another password: its clients must log in anew", name=name)

    def renew_where(self, is_altered: Callable[[str], bool]) -> None:
        """Some accounts have another password, or none any more, and none of them is to be forgotten for it.

        Args:
            is_altered: tells whether a login name is one of these.
        """
        for name in [each for each in self._node.subjects if is_altered(each)]:
            self.renew(name)
        self._tell_renewed(is_altered)  # also of names that have nothing here

    async def remove(self, name: str) -> None:
        """An account is gone: its sessions end, and nothing that is its own stays."""
        self._note(name)
        self._tell_renewed(lambda user: user == name)
        error = BrokerError(Code.USER_NOT_CONNECTED, "the account was removed")
        subject = self._node.subjects.get(name)
        if subject is not None:
            for session in list(subject.sessions.values()):
                if session.kind.of_account:
                    await self._registry.end(session, error, forget=True)
            subject.blocked_at, subject.is_limited = 0, False
            subject.max_sessions = subject.session_limit = self._node.settings.max_sessions
            if subject.stored:
                self._node.keep_limits(subject)
            await self._empty(subject)
        for listener in self.on_removed:
            await listener(name)
        await self._documents.remove_all(name)
        await self._querying.erase_owned(name)
        log.info("{name} was removed, with all that was its own", name=name)

    def _tell_renewed(self, is_altered: Callable[[str], bool]) -> None:
        for listener in self.on_renewed:
            listener(is_altered)

    def _note(self, name: str) -> None:
        self.seen += 1
        self._last[name] = self.seen
        self._last.move_to_end(name)
        if len(self._last) > MAX_NOTED:
            self._last.popitem(last=False)

    async def _empty(self, subject: Subject) -> None:
        queue = subject.queue
        while len(queue):
            await queue.load()
            entries = queue.take(-1, -1)
            if not entries and len(queue):
                raise BrokerError(Code.RESOURCE_DB_UNKNOWN, f"the queue of {subject.name} cannot be read")
            queue.settle(entries)
        self._node.release_subject(subject)

    def _look_now(self) -> None:
        self._look = None
        looking = ensureDeferred(self.apply())
        looking.addErrback(lambda failure: log.failure("what was changed of accounts has no effect", failure))
        looking.addBoth(lambda _: self._look_again())

    def _look_again(self) -> None:
        if self._look is None and self._registry.serving:
            self.start()
