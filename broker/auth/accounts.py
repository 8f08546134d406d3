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
from broker.model.records import SECURITY_OWNER, AccountRecord, DocumentRecord
from broker.ports import IAuthenticator, IStore

DECOYS = "auth.decoys"
"""Kind of the document that has the key of :func:`decoy_key`."""
KEY_SIZE = 32


async def decoy_key(store: IStore) -> bytes:
    """The secret that verifiers of unknown users are made with; it is made once, and stays in the store.

    With another one after each start, those whose salt changes would be those without an account.
    """
    known = await store.read_documents(SECURITY_OWNER, DECOYS)
    if known:
        return known[0].data
    key = secrets.token_bytes(KEY_SIZE)
    store.put_document(DocumentRecord(SECURITY_OWNER, DECOYS, "key", key, 0))
    committed: Deferred[None] = Deferred()
    store.when_committed(store.position, lambda: committed.callback(None))
    store.end_turn()
    await committed
    return key


@implementer(IAuthenticator)
class StoredAccounts:
    """Checks user and password against the store's accounts.

    The account is read at each login, so that what the command line has changed counts from the next login on.

    Args:
        store: holds the accounts.
        run: takes the key derivation off the reactor thread.
        key: secret of the broker, see :func:`decoy_key`.
        iterations: rounds of PBKDF2 that accounts are made with; the work that is done for unknown users.
        verified: users whose last right password is remembered.
    """

    def __init__(
        self,
        store: IStore,
        run: Executor,
        key: bytes,
        *,
        iterations: int = DEFAULT_ITERATIONS,
        verified: int = 10_000,
    ) -> None:
        self._store = store
        self._run = run
        self._key = key
        self._iterations = iterations
        self._verified = VerifiedCredentials(verified)

    async def verifier(self, mechanism: Mechanism, name: str) -> Verifier:
        """What a SCRAM exchange goes on with; for a name without an account a verifier that nothing matches.

        Of these, the same name has the same one at any time, and another one for another mechanism, as an account has
        (RFC 5802 §9).
        """
        record = await self._record(name)
        if record is None:
            return self._decoy(mechanism, name)
        stored = record.scram_sha_1 if mechanism is Mechanism.SHA_1 else record.scram_sha_256
        return Verifier.parse(mechanism, stored)

    async def exists(self, name: str) -> bool:
        """See :class:`broker.ports.IAuthenticator`."""
        return await self._record(name) is not None

    async def _record(self, name: str) -> AccountRecord | None:
        if not is_account_name(name):
            return None
        return await self._store.get_account(name)

    def _decoy(self, mechanism: Mechanism, name: str) -> Verifier:
        return make_decoy(mechanism, name, key=self._key, iterations=self._iterations)

    async def authenticate(self, credentials: Credentials, host: str) -> None:
        """See :class:`broker.ports.IAuthenticator`; ``host`` does not matter."""
        password = credentials.password
        if len(password) > MAXIMUM_PASSWORD_LENGTH:
            raise access_denied()
        name = subject_of(credentials.user) or ""
        record = await self._record(name)
        if record is None:
            self._verified.discard(name)
            # The same work as for a wrong password, or its time would tell who has an account.
            await self._run(self._decoy(Mechanism.SHA_256, name).check, password)
            raise access_denied()
        stored = record.scram_sha_256
        if self._verified.contains(name, stored, password):
            return
        if not await self._run(Verifier.parse(Mechanism.SHA_256, stored).check, password):
            raise access_denied()
        self._verified.add(name, stored, password)
