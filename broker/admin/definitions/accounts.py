"""Definitions of accounts, and of login names that have none in the store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from broker.admin.definitions.format import AccountDefinition, SubjectDefinition
from broker.admin.definitions.section import Section
from broker.admin.roles import Role, role_of
from broker.admin.views.accounts import AccountRole
from broker.auth.names import check_account_name
from broker.core.asker import Asker
from broker.core.broker import Broker
from broker.errors import BrokerError, Code
from broker.model.records import BY_ADMINISTRATION, AccountAction, AccountRecord
from broker.store.limits import check_account, check_text


class AccountSection(Section[AccountDefinition]):
    """Accounts of the store.

    Args:
        broker: the core.
        htpasswd: has the accounts instead, if it is not ``None``.
    """

    name = "accounts"
    reads_store = True

    def __init__(self, broker: Broker, htpasswd: Any) -> None:
        self._broker = broker
        self._htpasswd = htpasswd
        self._records: dict[str, AccountRecord] = {}

    async def read(self) -> list[AccountDefinition]:
        """With verifiers."""
        store = self._broker.node.store
        records = [] if self._htpasswd is not None else await store.list_accounts()
        self._records = {each.name: each for each in records}
        return [self._definition(each) for each in records]

    def name_of(self, definition: AccountDefinition) -> str:
        """The login name."""
        return definition.name

    def completed(
        self, before: AccountDefinition | None, wanted: AccountDefinition, *, replace: bool
    ) -> AccountDefinition:
        """An account that is there keeps its password where the document does not have it."""
        if before is None or wanted.scram_sha1 is not None or wanted.scram_sha256 is not None:
            return wanted
        return msgspec.structs.replace(wanted, scram_sha1=before.scram_sha1, scram_sha256=before.scram_sha256)

    def check(self, before: AccountDefinition | None, after: AccountDefinition) -> None:
        """Refuse names that are none, and accounts that nobody could log in with."""
        if self._htpasswd is not None:
            raise BrokerError(
                Code.USER_CONFIGURATION, f"accounts are in the htpasswd file {self._htpasswd.path}; change them there"
            )
        if check_account_name(after.name) != after.name:
            raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, "the name is not in Unicode normalization form C")
        if after.scram_sha1 is None or after.scram_sha256 is None:
            reason = "there is no such account, and the document has not both of its verifiers"
            raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, reason)
        check_account(self._record(after))

    def check_all(
        self, asker: Asker, after: Mapping[str, AccountDefinition], known: Mapping[str, AccountDefinition]
    ) -> Mapping[str, str]:
        """Somebody must be able to administer afterwards, and so must who imports."""
        named = self._broker.node.settings.administrators
        problems: dict[str, str] = {}
        remain = {name for name, each in after.items() if _administers(each)} | named
        lost = {name for name, each in known.items() if _administers(each) and name not in remain}
        if lost and not remain:
            problems |= dict.fromkeys(lost, "no administrator would be left")
        name = asker.principal
        if name in known:
            own = after.get(name)
            role = Role.NOBODY if own is None else role_of(own.role.value)
            is_lower = name not in named and role < role_of(known[name].role.value)
            if own is None or own.blocked or is_lower:
                problems[name] = "it is who imports"
        return problems

    def put(self, asker: Asker, before: AccountDefinition | None, after: AccountDefinition) -> None:
        """Also what is limited of its login name."""
        store = self._broker.node.store
        record = self._record(after)
        if before is None:
            store.append_account(record, AccountAction.ADDED, BY_ADMINISTRATION)
        elif (before.scram_sha1, before.scram_sha256) != (after.scram_sha1, after.scram_sha256):
            record = record._replace(changed=self._broker.node.now())
            store.append_account(record, AccountAction.PASSWORD, BY_ADMINISTRATION)
        elif before.role != after.role:
            store.append_account(record, AccountAction.ROLE, BY_ADMINISTRATION)
        limit(self._broker, asker, after.name, blocked=after.blocked, max_sessions=after.max_sessions)

    def delete(self, asker: Asker, before: AccountDefinition) -> None:
        """With all that is its own."""
        self._broker.node.store.append_removal(before.name, BY_ADMINISTRATION)

    async def finish(self) -> None:
        """Sessions, roles and what accounts own follow."""
        await self._broker.account_changes.apply()

    def _definition(self, record: AccountRecord) -> AccountDefinition:
        blocked, max_sessions = limits_of(self._broker, record.name)
        role = AccountRole(record.role) if record.role else AccountRole.NONE
        return AccountDefinition(record.name, role, blocked, max_sessions, record.scram_sha_1, record.scram_sha_256)

    def _record(self, definition: AccountDefinition) -> AccountRecord:
        known = self._records.get(definition.name)
        created = self._broker.node.now() if known is None else known.created
        role = "" if definition.role is AccountRole.NONE else definition.role.value
        verifiers = definition.scram_sha1 or "", definition.scram_sha256 or ""
        return AccountRecord(definition.name, *verifiers, created, role, 0 if known is None else known.changed)


class SubjectSection(Section[SubjectDefinition]):
    """Login names without an account in the store that are blocked or limited.

    Args:
        broker: the core.
    """

    name = "subjects"
    reads_store = True

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._accounts: frozenset[str] = frozenset()

    async def read(self) -> list[SubjectDefinition]:
        """By name."""
        node = self._broker.node
        self._accounts = frozenset(each.name for each in await node.store.list_accounts())
        names = sorted(name for name in node.subjects if name not in self._accounts)
        found = [SubjectDefinition(name, *limits_of(self._broker, name)) for name in names]
        return [each for each in found if each.blocked or each.max_sessions]

    def name_of(self, definition: SubjectDefinition) -> str:
        """The login name."""
        return definition.name

    def check(self, before: SubjectDefinition | None, after: SubjectDefinition) -> None:
        """Refuse what can be no login name, and those whose accounts say it."""
        self._broker.registry.check_subject_name(after.name)
        check_text(after.name, "the login name")
        if after.name in self._accounts:
            raise BrokerError(Code.USER_CONFIGURATION, "it has an account, which is in the section accounts")

    def check_all(
        self, asker: Asker, after: Mapping[str, SubjectDefinition], known: Mapping[str, SubjectDefinition]
    ) -> Mapping[str, str]:
        """Who imports is not blocked."""
        own = after.get(asker.principal)
        return {asker.principal: "it is who imports"} if own is not None and own.blocked else {}

    def put(self, asker: Asker, before: SubjectDefinition | None, after: SubjectDefinition) -> None:
        """Also after a restart."""
        limit(self._broker, asker, after.name, blocked=after.blocked, max_sessions=after.max_sessions)

    def delete(self, asker: Asker, before: SubjectDefinition) -> None:
        """It is not limited any more."""
        limit(self._broker, asker, before.name, blocked=False, max_sessions=0)


def limits_of(broker: Broker, name: str) -> tuple[bool, int]:
    """Whether a login name is blocked, and how many sessions it may have; 0 for what the configuration says."""
    subject = broker.node.subjects.get(name)
    if subject is None:
        return False, 0
    return subject.blocked, subject.session_limit if subject.is_limited else 0


def limit(broker: Broker, asker: Asker, name: str, *, blocked: bool, max_sessions: int) -> None:
    """Limit a login name; where it is limited like this already nothing is written."""
    known_blocked, known_max = limits_of(broker, name)
    if max_sessions != known_max:
        broker.control.limit_sessions(asker, broker.node.subject(name), max_sessions)
    if blocked != known_blocked:
        broker.control.block(asker, broker.node.subject(name), blocked)


def _administers(account: AccountDefinition) -> bool:
    return account.role is AccountRole.ADMINISTRATOR and not account.blocked
