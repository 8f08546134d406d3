"""Logins against the accounts in the store (design D13)."""

from __future__ import annotations

import secrets

from twisted.internet.defer import Deferred
from zope.interface import implementer

from broker.auth.denial import access_denied
from broker.auth.executor import Executor
from broker.auth.names import is_account_name, subject_of
from broker.auth.scram import DEFAULT_ITERATIONS, MAXIMUM_PASSWORD_LENGTH, Mechanism, Verifier, make_decoy
from broker.auth.verified import VerifiedCredentials
from broker.model.connect import Credentials
from broker.model.records import AccountRecord
from broker.ports import IAuthenticator, IStore


@implementer(IAuthenticator)
class StoredAccounts:
    """Checks user and password against the store's accounts.

    The account is read at each login, so that what the command line has changed counts from the next login on.

    Args:
        store: holds the accounts.
        run: takes the key derivation off the reactor thread.
        iterations: rounds of PBKDF2 that accounts are made with; the work that is done for unknown users.
        verified: users whose last right password is remembered.
    """

    def __init__(
        self, store: IStore, run: Executor, *, iterations: int = DEFAULT_ITERATIONS, verified: int = 10_000
    ) -> None:
        self._store = store
        self._run = run
        self._iterations = iterations
        self._verified = VerifiedCredentials(verified)
        self._decoy_key = secrets.token_bytes(32)

    def authenticate(self, credentials: Credentials, host: str) -> Deferred[None]:
        """See :class:`broker.ports.IAuthenticator`; ``host`` does not matter."""
        return Deferred.fromCoroutine(self._authenticate(credentials))

    async def verifier(self, name: str) -> AccountRecord | None:
        """Look up the verifiers of exactly this account, for a SCRAM exchange; ``None`` where there is none."""
        if not is_account_name(name):
            return None
        return await self._store.get_account(name)

    def decoy(self, mechanism: Mechanism, name: str) -> Verifier:
        """What a SCRAM exchange goes on with where :meth:`verifier` found nobody (RFC 5802 §9)."""
        return make_decoy(mechanism, name, key=self._decoy_key, iterations=self._iterations)

    async def _authenticate(self, credentials: Credentials) -> None:
        password = credentials.password
        if len(password) > MAXIMUM_PASSWORD_LENGTH:
            raise access_denied()
        name = subject_of(credentials.user) or ""
        record = await self.verifier(name)
        if record is None:
            self._verified.discard(name)
            # The same work as for a wrong password, or its time would tell who has an account.
            await self._run(self.decoy(Mechanism.SHA_256, name).check, password)
            raise access_denied()
        stored = record.scram_sha_256
        if self._verified.contains(name, stored, password):
            return
        if not await self._run(Verifier.parse(Mechanism.SHA_256, stored).check, password):
            raise access_denied()
        self._verified.add(name, stored, password)
