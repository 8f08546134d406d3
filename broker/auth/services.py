"""The security services that a client may name when it connects (spec xmlblaster §2.1, §13.1)."""

from __future__ import annotations

from typing import NoReturn

from twisted.internet.defer import DeferredSemaphore
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from broker.auth.accounts import StoredAccounts
from broker.auth.scram import Mechanism, Verifier
from broker.auth.throttle import LoginThrottle
from broker.errors import BrokerError, Code
from broker.model.connect import Credentials
from broker.model.records import AccountRecord
from broker.ports import IAuthenticator

log = Logger()

ACCOUNTS = "accounts"
HTPASSWD = "htpasswd"
SIMPLE = "simple"
VERSION = "1.0"

_LOGGED_LENGTH = 64


class SecurityServices:
    """Sends each login to the security service that it names, and slows down those who guess.

    Stock clients always name ``htpasswd``; where no file is configured, the stored accounts answer to that name.

    Args:
        accounts: the service ``accounts``; XMPP logs in against it too.
        throttle: counts failed logins.
        clock: for the throttle and for delayed answers.
        htpasswd: the service ``htpasswd`` where it is configured.
        simple: the service ``simple`` where it is configured.
        parallel: logins that are checked at the same time.
        waiting: logins that may wait for their turn.
    """

    def __init__(
        self,
        accounts: StoredAccounts,
        throttle: LoginThrottle,
        clock: IReactorTime,
        *,
        htpasswd: IAuthenticator | None = None,
        simple: IAuthenticator | None = None,
        parallel: int = 64,
        waiting: int = 20_000,
    ) -> None:
        self._accounts = accounts
        self._throttle = throttle
        self._clock = clock
        self._services: dict[str, IAuthenticator] = {
            ACCOUNTS: accounts,
            HTPASSWD: accounts if htpasswd is None else htpasswd,
        }
        if simple is not None:
            self._services[SIMPLE] = simple
        self._turns = DeferredSemaphore(parallel)
        self._waiting = waiting

    async def authenticate(self, credentials: Credentials | None, host: str) -> None:
        """Check the credentials of a connect that came from the peer address ``host``.

        Raises:
            BrokerError: ``user.security.authentication.illegalArgument`` where no, an incomplete or an unknown
                ``<securityService>`` was given; ``…accessDenied`` where user or password are wrong, or, after a delay,
                where the address has failed too often; ``resource.temporary.unavailable`` where too many wait.
        """
        credentials, service = self._select(credentials)
        if len(self._turns.waiting) >= self._waiting:
            raise BrokerError(Code.RESOURCE_TEMPORARY_UNAVAILABLE, "Too many clients log in at the same time")
        async with self._turns:
            # Asked only when its turn has come: of ten thousand guesses sent at once, most see the first ones fail.
            delay = self._throttle.delay(host, self._clock.seconds())
            if not delay:
                await self._check(service, credentials, host)
                return
        # Its turn is over, so that those who must wait do not keep others from being checked.
        await self._refuse(delay)

    async def admit(self, host: str) -> None:
        """Let a login pass that another protocol checks itself, as SCRAM does, unless ``host`` has failed too often.

        Raises:
            BrokerError: ``user.security.authentication.accessDenied``, after a delay.
        """
        delay = self._throttle.delay(host, self._clock.seconds())
        if delay:
            await self._refuse(delay)

    def failed(self, user: str, host: str) -> None:
        """Note a login with wrong user or password."""
        # In quotes, escaped and cut: the name is whatever the peer has sent.
        log.warn("Login of {user!r} from {host} refused", user=user[:_LOGGED_LENGTH], host=host)
        self._throttle.failed(host, self._clock.seconds())

    async def verifier(self, name: str) -> AccountRecord | None:
        """Look up the SCRAM verifiers of an account; ``None`` where there is none."""
        return await self._accounts.verifier(name)

    async def exists(self, name: str) -> bool:
        """Whether there is an account of that name."""
        return await self._accounts.verifier(name) is not None

    async def scram(self, mechanism: str, name: str) -> tuple[bytes, bytes, bytes, int]:
        """What a SCRAM exchange goes on with: the account's verifier, or for an unknown name one that nothing matches.

        Args:
            mechanism: ``SCRAM-SHA-1`` or ``SCRAM-SHA-256``.
            name: of the account.

        Returns:
            Salt, stored key, server key and iterations.
        """
        kind = Mechanism(mechanism)
        record = await self._accounts.verifier(name)
        if record is None:
            return self._accounts.decoy(kind, name).auth_information
        stored = record.scram_sha_1 if kind is Mechanism.SHA_1 else record.scram_sha_256
        return Verifier.parse(kind, stored).auth_information

    def _select(self, credentials: Credentials | None) -> tuple[Credentials, IAuthenticator]:
        if credentials is None or not credentials.type or not credentials.user:
            raise BrokerError(
                Code.USER_AUTHENTICATION_ILLEGAL_ARGUMENT, "The connect has no <securityService> with type and user"
            )
        service = self._services.get(credentials.type)
        if service is None or credentials.version != VERSION:
            raise BrokerError(
                Code.USER_AUTHENTICATION_ILLEGAL_ARGUMENT,
                f"There is no security service of that type and version, but {', '.join(sorted(self._services))} "
                f"in version {VERSION}",
            )
        return credentials, service

    async def _refuse(self, delay: float) -> NoReturn:
        await deferLater(self._clock, delay)
        raise BrokerError(Code.USER_ACCESS_DENIED, "Too many failed logins from this address, try again later")

    async def _check(self, service: IAuthenticator, credentials: Credentials, host: str) -> None:
        try:
            await service.authenticate(credentials, host)
        except BrokerError as error:
            if error.code == Code.USER_ACCESS_DENIED:
                self.failed(credentials.user, host)
            raise
