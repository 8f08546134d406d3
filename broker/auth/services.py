"""The security services that a client may name when it connects (spec xmlblaster §2.1, §13.1)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.internet.defer import TimeoutError as DeferredTimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from broker.auth.accounts import StoredAccounts
from broker.auth.names import subject_of
from broker.auth.scram import Mechanism
from broker.auth.throttle import Attempt, Bucket, LoginThrottle
from broker.errors import BrokerError, Code
from broker.histogram import Histogram
from broker.logs.audit import CountedAudit
from broker.model.connect import Credentials
from broker.model.host import network_of
from broker.ports import IAuthenticator

ACCOUNTS = "accounts"
HTPASSWD = "htpasswd"
SIMPLE = "simple"
VERSION = "1.0"

MAX_WAIT = 10.0
"""Seconds that a login waits for others of its account or address to have their outcome."""
MAX_COUNTED = 64
"""Characters by which names that no account can have are counted."""


LOGIN_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds that logins take."""


class LoginCounts:
    """How logins went so far. These numbers never fall.

    Attributes:
        ok: user and password were right.
        wrong: they were not, or the client did not wait for the outcome.
        throttled: they were not looked at, because there were too many failures, or too many logins at once.
        error: they could not be checked.
        seconds: how long they took, by how they went; those that were throttled are made to wait.
    """

    __slots__ = ("error", "ok", "seconds", "throttled", "wrong")

    def __init__(self) -> None:
        self.ok = self.wrong = self.throttled = self.error = 0
        self.seconds = {outcome: Histogram(LOGIN_BOUNDS) for outcome in ("ok", "wrong", "error")}


class LoginAttempt:
    """A login that was let through; whoever checks it says how it went.

    Args:
        user: name that the client gave.
        host: address of the peer.
        attempt: what it has taken of the throttle.
        clock: of the throttle.
        audit: of logins that are given up; of all others those have the outcome who asked for it.
        counts: of all logins.
    """

    __slots__ = ("_attempt", "_audit", "_begun", "_clock", "_counts", "_host", "_user")

    def __init__(
        self, user: str, host: str, attempt: Attempt, clock: IReactorTime, audit: CountedAudit, counts: LoginCounts
    ) -> None:
        self._user = user
        self._host = host
        self._attempt = attempt
        self._clock = clock
        self._audit = audit
        self._counts = counts
        self._begun = clock.seconds()

    def succeeded(self) -> None:
        """User and password were right."""
        self._counts.ok += 1
        self._note("ok")
        self._attempt.succeeded(self._clock.seconds())

    def failed(self) -> None:
        """They were wrong."""
        self._counts.wrong += 1
        self._note("wrong")
        self._attempt.failed(self._clock.seconds())

    def given_up(self) -> None:
        """The client did not wait for the outcome, which counts as much: it has learned something by then."""
        if not self._attempt.over:
            self._counts.wrong += 1
            self._note("wrong")
            self._attempt.failed(self._clock.seconds())
            fields = {"principal": self._user, "peer": self._host, "outcome": "given up"}
            self._audit.note(network_of(self._host), "login", fields)

    def dismiss(self) -> None:
        """It could not be checked."""
        if not self._attempt.over:
            self._counts.error += 1
            self._note("error")
        self._attempt.dismiss(self._clock.seconds())

    def _note(self, outcome: str) -> None:
        self._counts.seconds[outcome].observe(self._clock.seconds() - self._begun)


class SecurityServices:
    """Sends each login to the security service that it names, and slows down those who guess.

    There is one source of accounts, whatever its kind. Stock clients always name ``htpasswd``, so it answers to that
    name, too.

    Args:
        source: of accounts.
        throttle: counts failed logins.
        clock: for the throttle and for delayed answers.
        verifiers: where the accounts have verifiers, so that SCRAM can be offered.
        simple: the service ``simple`` where it is configured.
        parallel: logins that are checked at the same time.
        waiting: logins that may wait for their turn.

    Attributes:
        counts: of logins, over whatever protocol.
        on_throttled: called with login name and peer address of each login that is refused because too many failed.
    """

    def __init__(
        self,
        source: IAuthenticator,
        throttle: LoginThrottle,
        clock: IReactorTime,
        *,
        verifiers: StoredAccounts | None = None,
        simple: IAuthenticator | None = None,
        parallel: int = 64,
        waiting: int = 20_000,
    ) -> None:
        self._source = source
        self._throttle = throttle
        self._clock = clock
        self._verifiers = verifiers
        self._services: dict[str, IAuthenticator] = {ACCOUNTS: source, HTPASSWD: source}
        if simple is not None:
            self._services[SIMPLE] = simple
        self._turns = DeferredSemaphore(parallel)
        self._given_up = CountedAudit(clock.seconds, "logins that were given up")
        self._max_waiting = waiting
        self._waiting = 0
        self.counts = LoginCounts()
        self.on_throttled: list[Callable[[str, str], None]] = []

    @property
    def waiting(self) -> int:
        """Logins that wait for their turn."""
        return self._waiting

    @property
    def offers_scram(self) -> bool:
        """Whether accounts have verifiers for :meth:`scram`."""
        return self._verifiers is not None

    async def authenticate(self, credentials: Credentials | None, host: str) -> None:
        """Check the credentials of a connect that came from the peer address ``host``.

        Raises:
            BrokerError: ``user.security.authentication.illegalArgument`` where no, an incomplete or an unknown
                ``<securityService>`` was given; ``…accessDenied`` where user or password are wrong;
                ``resource.temporary.unavailable`` as :meth:`begin`.
        """
        credentials, service = self._select(credentials)
        attempt = await self.begin(credentials.user, host)
        try:
            self._waiting += 1
            try:
                await self._turns.acquire()
            finally:
                self._waiting -= 1
            try:
                await service.authenticate(credentials, host)
            finally:
                self._release()
        except BaseException as error:
            if isinstance(error, BrokerError) and error.code == Code.USER_ACCESS_DENIED:
                attempt.failed()
            else:
                attempt.dismiss()
            raise
        attempt.succeeded()

    async def begin(self, user: str, host: str) -> LoginAttempt:
        """Let a login begin, unless its account or its address has failed too often.

        Args:
            user: name that the client gave.
            host: peer address.

        Returns:
            What must be told the outcome.

        Raises:
            BrokerError: ``resource.temporary.unavailable``: after a delay where there were too many failures, or where
                too many logins wait.
        """
        if self._waiting >= self._max_waiting:
            self.counts.throttled += 1
            raise BrokerError(Code.RESOURCE_TEMPORARY_UNAVAILABLE, "Too many clients log in at the same time")
        account = subject_of(user) or user[:MAX_COUNTED]
        self._waiting += 1
        try:
            outcome = self._throttle.begin(account, host, self._clock.seconds())
            while not isinstance(outcome, Attempt) and not outcome.delay:
                bucket = outcome.bucket
                await self._room(bucket)
                outcome = self._throttle.begin(account, host, self._clock.seconds())
                if not (isinstance(outcome, Attempt) and outcome.uses(bucket)):  # its room is for the next one
                    self._clock.callLater(0, bucket.wake)
        finally:
            self._waiting -= 1
        if isinstance(outcome, Attempt):
            return LoginAttempt(user, host, outcome, self._clock, self._given_up, self.counts)
        # It waits no more, so that those who are refused keep nobody from waiting.
        for listener in self.on_throttled:
            listener(account, host)
        await self._refuse(outcome.delay)

    async def exists(self, name: str) -> bool:
        """Whether there is an account of that name."""
        return await self._source.exists(name)

    async def scram(self, mechanism: str, name: str) -> tuple[bytes, bytes, bytes, int]:
        """What a SCRAM exchange goes on with: the account's verifier, or for an unknown name one that nothing matches.

        Args:
            mechanism: ``SCRAM-SHA-1`` or ``SCRAM-SHA-256``.
            name: of the account.

        Returns:
            Salt, stored key, server key and iterations.
        """
        assert self._verifiers is not None
        return (await self._verifiers.verifier(Mechanism(mechanism), name)).auth_information

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

    def _release(self) -> None:
        """Have the next login that waits checked, in a call of its own: many may be answered at once."""
        if self._turns.waiting:
            self._clock.callLater(0, self._turns.release)
        else:
            self._turns.release()

    async def _room(self, bucket: Bucket) -> None:
        """Wait until an attempt that a bucket holds has its outcome.

        Raises:
            BrokerError: ``resource.temporary.unavailable`` where that takes too long.
        """
        waiter: Deferred[None] = Deferred()

        def wake() -> None:
            waiter.callback(None)

        bucket.waiting.append(wake)
        waiter.addTimeout(MAX_WAIT, self._clock)
        try:
            await waiter
        except DeferredTimeoutError:
            raise BrokerError(
                Code.RESOURCE_TEMPORARY_UNAVAILABLE, "Others log in at the same time, try again later"
            ) from None
        finally:
            with suppress(ValueError):
                bucket.waiting.remove(wake)

    async def _refuse(self, delay: float) -> NoReturn:
        self.counts.throttled += 1
        await deferLater(self._clock, delay)
        raise BrokerError(Code.RESOURCE_TEMPORARY_UNAVAILABLE, "Too many failed logins, try again later")
