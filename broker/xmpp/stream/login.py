"""Logins of XMPP clients against the accounts of the broker (RFC 6120 §6)."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

from broker.errors import BrokerError
from broker.model.connect import Credentials
from broker.model.jid import prepare_local
from broker.xmpp.wire.sasl import (
    Challenge,
    Exchange,
    NeedAccount,
    NeedPassword,
    NeedVerifier,
    SaslFailure,
    Scram,
    Step,
    Success,
)

if TYPE_CHECKING:
    from broker.auth.services import LoginAttempt, SecurityServices
    from broker.core.broker import Broker

SERVICE = "htpasswd"
"""The security service that checks passwords: the one that native clients name."""
ANONYMOUS_PREFIX = "anonymous-"


class Login:
    """One client's attempts to log in.

    Args:
        security: checks credentials.
        broker: the core, which may refuse a user whose credentials were right.
        host: address of the client.
    """

    def __init__(self, security: SecurityServices, broker: Broker, host: str) -> None:
        self._security = security
        self._broker = broker
        self._since = 0
        self._check_again: Callable[[], Awaitable[object]] | None = None
        self._host = host
        self._exchange: Exchange | None = None
        self._attempt: LoginAttempt | None = None
        self._user = ""
        self.attempts = 0

    @property
    def user(self) -> str:
        """Whom the client says that it is in this exchange; empty before it has said so."""
        return self._user

    async def begin(self, exchange: Exchange, initial: bytes | None) -> Challenge | Success:
        """Begin an exchange.

        Returns:
            What to send. The user of a success is a localpart.

        Raises:
            SaslFailure: it is over.
        """
        self._user = ""
        self._check_again = None
        self.abort()  # of the exchange before, if that is not over
        self._since = self._broker.account_changes.seen
        return await self._go_on(exchange, exchange.begin(initial))

    async def respond(self, data: bytes) -> Challenge | Success:
        """Go on with an exchange; see :meth:`begin`."""
        exchange, self._exchange = self._exchange, None
        if exchange is None:
            raise SaslFailure("malformed-request", "nothing was asked")
        try:
            step = exchange.respond(data)
        except SaslFailure:
            if self._attempt is not None:  # however it failed, a guess was made or could have been
                self._attempt.failed()
            raise
        return await self._go_on(exchange, step)

    def abort(self) -> None:
        """The client gives up (RFC 6120 §6.4.4), or is gone."""
        self._exchange = None
        if self._attempt is not None:
            self._attempt.given_up()

    async def _go_on(self, exchange: Exchange, step: Step) -> Challenge | Success:
        while True:
            match step:
                case NeedVerifier(mechanism, user):
                    self._user = user
                    assert isinstance(exchange, Scram)
                    verifier = await self._verifier(mechanism, user)
                    self._check_again = partial(self._compare, mechanism, user, verifier)
                    step = exchange.found(*verifier)
                case NeedPassword(user, password):
                    self._user = user
                    self._check_again = partial(self._check, user, password)
                    step = await self._check(user, password)
                case NeedAccount(user):
                    self._user = user
                    self._check_again = partial(self._find, user)
                    step = await self._find(user)
                case Success(user, data):
                    if self._attempt is not None:
                        self._attempt.succeeded()
                    return Success(await self._admitted(user), data, anonymous=not user)
                case Challenge():
                    self._exchange = exchange
                    return step

    async def _verifier(self, mechanism: str, user: str) -> tuple[bytes, bytes, bytes, int]:
        name = _prepared(user) or user
        try:
            self._attempt = attempt = await self._security.begin(name, self._host)
            try:
                return await self._security.scram(mechanism, name)
            except BaseException:
                attempt.dismiss()
                raise
        except BrokerError as error:
            raise _failure(error) from error

    async def _compare(self, mechanism: str, user: str, verifier: tuple[bytes, bytes, bytes, int]) -> None:
        """Refuse a client that has shown to know a password that is one no more."""
        if await self._security.scram(mechanism, _prepared(user) or user) != verifier:
            raise SaslFailure("not-authorized")

    async def _find(self, user: str) -> Success:
        local = _prepared(user)
        try:
            if not local or not await self._security.exists(local):
                raise SaslFailure("not-authorized")
        except BrokerError as error:
            raise _failure(error) from error
        return Success(local)

    async def _check(self, user: str, password: str) -> Success:
        local = _prepared(user)
        try:
            # The service counts failures itself.
            await self._security.authenticate(Credentials(SERVICE, local or user, password), self._host)
        except BrokerError as error:
            raise _failure(error) from error
        if not local:  # whose name cannot be a localpart is not anonymous
            raise SaslFailure("not-authorized")
        return Success(local)

    async def _admitted(self, user: str) -> str:
        local = _prepared(user) if user else ANONYMOUS_PREFIX + secrets.token_hex(8)
        if not local:
            raise SaslFailure("not-authorized")
        try:
            while not await self._broker.admit(local, self._since):
                self._since = self._broker.account_changes.seen
                if self._check_again is not None:
                    await self._check_again()
        except BrokerError as error:
            raise _failure(error) from error
        return local


def _failure(error: BrokerError) -> SaslFailure:
    """Why a login failed: what the server cannot do now says nothing of the password (RFC 6120 §6.5.11)."""
    if error.is_resource:
        return SaslFailure("temporary-auth-failure", "the server cannot check that now")
    return SaslFailure("not-authorized")


def _prepared(user: str) -> str:
    """The localpart of a user; empty where the name cannot be one."""
    try:
        return prepare_local(user)
    except BrokerError:
        return ""
