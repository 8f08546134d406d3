"""Who may log in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from zope.interface import Interface

if TYPE_CHECKING:
    from broker.model.records import AccountAction, AccountChange, AccountRecord


class IAccounts(Interface):
    """Accounts with their verifiers (design D13); other processes may change them, too."""

    def put_account(record: AccountRecord, by: str = "") -> Deferred[None]:
        """Insert or replace an account; fires when it is on disk. For ``by`` see :class:`AccountChange`."""

    def delete_account(name: str, by: str = "") -> Deferred[bool]:
        """Delete an account; fires with whether there was one."""

    def set_role(name: str, role: str, by: str = "") -> Deferred[bool]:
        """Give an account another role in administration; fires with whether there is one, when it is on disk.

        The role is ``monitoring``, ``operator``, ``administrator``, or empty for none.
        """

    def list_roles() -> Deferred[dict[str, str]]:
        """Roles of the accounts that have one, by login name."""

    def get_account(name: str) -> Deferred[AccountRecord | None]:
        """Read an account as it is on disk now (another process may have changed it).

        Fails with ``resource.db.unknown`` where it is there and cannot be read, which ``on_unreadable`` is told, too.
        """

    def list_accounts() -> Deferred[list[AccountRecord]]:
        """All accounts by name; those that cannot be read are left out, and told to ``on_unreadable``."""

    def read_account_changes() -> Deferred[list[AccountChange]]:
        """What was changed of accounts, by this or another process, the first change first."""

    def append_account(record: AccountRecord, action: AccountAction, by: str = "") -> None:
        """Insert or replace an account in the batch of the other operations; ``action`` says what is new about it."""

    def append_removal(name: str, by: str = "") -> None:
        """Delete an account in the batch of the other operations."""

    def forget_account_change(id: str) -> None:
        """A change has had its effect; appended as the operations that it is the effect of."""
