"""Who may administer: roles of login names, and how people log in over HTTP (operations §1.3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from broker.admin.browser_sessions import BrowserSession, BrowserSessions
from broker.admin.options import ADMIN_MONITORS, ADMIN_USERS, administrators, monitors
from broker.admin.roles import Role, role_of
from broker.admin.tokens import Token, Tokens
from broker.auth.names import subject_of
from broker.auth.services import ACCOUNTS
from broker.config.properties import Properties
from broker.core.asker import Asker
from broker.core.audit_trail import AuditTrail, Change, Outcome
from broker.core.broker import Broker
from broker.errors import BrokerError, Code
from broker.logs.limit import LogLimit
from broker.model.connect import Credentials

ACCOUNT = "account"
"""The source of a role that an account itself has."""
LOGIN = "login"
REFUSAL_INTERVAL = 10.0
"""Seconds between two rows of the audit about logins that were refused; the log has more of them."""
VIA = "http"
"""What the audit calls logins to administration."""


@dataclass(frozen=True, slots=True)
class Granted:
    """A role, and what gives it.

    Args:
        role: the role.
        source: name of the property that gives it, or ``account``; empty for nobody.
    """

    role: Role = Role.NOBODY
    source: str = ""


NOTHING = Granted()


class Access:
    """Knows the roles of login names, and who is logged in.

    Args:
        properties: the configuration.
        monotonic: seconds by a clock that nobody sets.

    Attributes:
        sessions: logins of people with browsers.
        tokens: of programs; ``None`` before there is a core.
    """

    def __init__(self, properties: Properties, monotonic: Callable[[], float]) -> None:
        self.sessions = BrowserSessions(monotonic)
        self._named = {
            **dict.fromkeys(monitors(properties), Granted(Role.MONITORING, ADMIN_MONITORS.name)),
            **dict.fromkeys(administrators(properties), Granted(Role.ADMINISTRATOR, ADMIN_USERS.name)),
        }
        self.tokens: Tokens | None = None
        self._refusals = LogLimit(monotonic, REFUSAL_INTERVAL)
        self._broker: Broker | None = None

    def attach(self, broker: Broker) -> None:
        """Check logins with a broker, and follow what is changed of its accounts."""
        self._broker = broker
        self.tokens = Tokens(broker.documents, broker.node.now)
        broker.account_changes.on_renewed += [self.sessions.end_where, self.tokens.revoke_where]
        broker.account_changes.on_role_changed.append(self._role_changed)
        broker.control.on_blocked.append(lambda name: self.sessions.end_where(lambda user: user == name))

    async def load(self) -> None:
        """Read the tokens out of the store."""
        if self.tokens is not None:
            await self.tokens.load()

    def token(self, text: str) -> Token | None:
        """The token that a program sends, unless its owner's logins are blocked."""
        token = None if self.tokens is None else self.tokens.find(text)
        if token is None or self._broker is None:
            return None
        subject = self._broker.node.subjects.get(token.owner)
        return None if subject is not None and subject.blocked else token

    def granted(self, user: str) -> Granted:
        """The role of a login name."""
        named = self._named.get(user)
        if named is not None or self._broker is None:
            return named or NOTHING
        role = role_of(self._broker.node.roles.get(user, ""))
        return Granted(role, ACCOUNT) if role else NOTHING

    async def log_in(self, user: str, password: str, host: str) -> tuple[str, BrowserSession]:
        """Log somebody in, with the same limits on guessing as clients have.

        Args:
            user: as it was given.
            password: as it was given.
            host: address of the peer.

        Returns:
            The cookie and the login.

        Raises:
            BrokerError: ``user.security.authentication.*`` where user or password are wrong;
                ``user.security.authorization.notAuthorized`` for an account that is blocked or has no role;
                ``resource.*`` where logins cannot be checked now.
        """
        if self._broker is None:
            raise BrokerError(Code.RESOURCE_UNAVAILABLE, "logins are not served yet")
        try:
            name = await self._authenticated(self._broker, user, password, host)
            granted = self.granted(name)
            if granted.role is Role.NOBODY:
                raise _no_role(name)
        except BrokerError as error:
            self._broker.logins.refused(user, VIA, host, error.message)
            self._note_refusal(self._broker.node.trail, Change(Asker(user, via=VIA, peer=host), LOGIN), error)
            raise
        self._broker.node.trail.note(Change(Asker(name, granted.role.label, VIA, host), LOGIN))
        return self.sessions.open(name)

    def _note_refusal(self, trail: AuditTrail, change: Change, error: BrokerError) -> None:
        """Write a row, unless another one was written just now: strangers must not drive out what is there."""

        def put(reason: str) -> None:
            change.reason = reason
            trail.note(change, Outcome.REFUSED, str(error.code), line=False)

        self._refusals.tell(put, lambda: error.message)

    def _role_changed(self, name: str) -> None:
        """What was granted by the former role ends."""
        self.sessions.end_where(lambda user: user == name)
        if self.tokens is not None:
            self.tokens.revoke_above(name, self.granted(name).role)

    async def _authenticated(self, broker: Broker, user: str, password: str, host: str) -> str:
        admitted, name = False, ""
        while not admitted:
            since = broker.account_changes.seen
            await broker.authenticate(Credentials(ACCOUNTS, user, password), host)
            name = subject_of(user) or ""
            admitted = await broker.admit(name, since)
        try:
            broker.registry.check_subject(name)
        except BrokerError as error:
            raise BrokerError(Code.USER_NOT_AUTHORIZED, error.message) from error
        return name


def _no_role(name: str) -> BrokerError:
    reason = f"{name} has no role in administration; give it one by: broker user role {name} monitoring"
    return BrokerError(Code.USER_NOT_AUTHORIZED, reason)
