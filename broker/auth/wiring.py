"""Authentication and authorization as the properties ask for them (spec xmlblaster §13)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from twisted.logger import Logger
from twisted.python.threadpool import ThreadPool

from broker.auth.accounts import StoredAccounts, decoy_key
from broker.auth.anyone import Anyone, Simple
from broker.auth.authority import PermitAll
from broker.auth.executor import Executor, PoolExecutor
from broker.auth.htpasswd import HtpasswdFile
from broker.auth.services import SecurityServices
from broker.auth.throttle import LoginThrottle
from broker.config.kinds import BOOLEAN, TEXT, integer
from broker.config.options import declare
from broker.config.properties import Properties
from broker.ports import IAuthorizer, IStore
from broker.private_files import warn_of_readers

log = Logger()

SECRET_FILE = declare(
    "Security.Server.Plugin.htpasswd.secretfile",
    TEXT,
    "",
    "htpasswd file that takes the place of the accounts of 'broker user', over all protocols; XMPP clients then log in "
    "by PLAIN, as such a file has no verifiers for SCRAM. Empty: the accounts. NONE: anyone may log in, but from this "
    "machine only.",
)
PARTIAL_USERS = declare(
    "Security.Server.Plugin.htpasswd.allowPartialUsername",
    BOOLEAN,
    False,
    "Names in the htpasswd file also match as the beginning or end of a login name.",
)
ALLOW_SIMPLE = declare(
    "Security.Server.allowSimpleDriver",
    BOOLEAN,
    False,
    "Serve the security service 'simple', which lets anyone in, but from this machine only.",
)
LOGIN_FAILURES = declare(
    "login.maxFailures",
    integer(1),
    10,
    "Failed logins of one account, and of one address, in a minute; further ones wait and are refused for a while. An "
    "account that has logged in from an address before counts by itself there; and an address may fail ten times as "
    "often over accounts that have no failures.",
)
THROTTLE_LOOPBACK = declare("login.throttleLoopback", BOOLEAN, True, "Count failed logins from this machine, too.")

NO_FILE = "NONE"


class Security(NamedTuple):
    """What the broker checks logins and requests with.

    Args:
        services: authenticates.
        authorizer: an :class:`broker.ports.IAuthorizer`.
        run: computes password hashes.
        htpasswd: the file that accounts are in, where there is one.
    """

    services: SecurityServices
    authorizer: IAuthorizer
    run: Executor
    htpasswd: HtpasswdFile | None = None

    async def reload(self) -> bool:
        """Read the htpasswd file again; returns whether all is well, which is not so where it cannot be read."""
        return self.htpasswd is None or await self.htpasswd.reload()


async def make_security(properties: Properties, store: IStore, reactor: Any, threads: ThreadPool) -> Security:
    """Make the security services.

    Args:
        properties: the configuration.
        store: an :class:`broker.ports.IStore`, for the accounts.
        reactor: for time and threads.
        threads: that compute password hashes.

    Raises:
        BrokerError: ``resource.*`` where the htpasswd file or the store cannot be used.
    """
    run = PoolExecutor(reactor, threads)
    throttle = LoginThrottle(failures=LOGIN_FAILURES.get(properties), loopback=THROTTLE_LOOPBACK.get(properties))
    simple = None
    if ALLOW_SIMPLE.get(properties):
        simple = Simple()
        log.warn("Anyone on this machine may log in with the security service 'simple'")
    secret_file = SECRET_FILE.get(properties).strip()
    if not secret_file:
        accounts = StoredAccounts(store, run, await decoy_key(store))
        return Security(
            SecurityServices(accounts, throttle, reactor, verifiers=accounts, simple=simple), PermitAll(), run
        )
    if secret_file == NO_FILE:
        log.warn("{option}=NONE: anyone on this machine may log in under any name", option=SECRET_FILE.name)
        return Security(SecurityServices(Anyone(), throttle, reactor, simple=simple), PermitAll(), run)
    warn_of_readers(Path(secret_file), SECRET_FILE.name)
    htpasswd = HtpasswdFile(Path(secret_file), run, allow_partial_usernames=PARTIAL_USERS.get(properties))
    services = SecurityServices(htpasswd, throttle, reactor, simple=simple)
    return Security(services, htpasswd, run, htpasswd)
