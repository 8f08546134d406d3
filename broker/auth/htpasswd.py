"""Logins and permissions from an htpasswd file (spec xmlblaster §13.2)."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from twisted.logger import Logger
from zope.interface import implementer

from broker.auth.denial import access_denied
from broker.auth.executor import Executor
from broker.auth.htpasswd_format import Htpasswd, parse_htpasswd
from broker.auth.names import subject_of
from broker.auth.scram import MAXIMUM_PASSWORD_LENGTH
from broker.auth.verified import VerifiedCredentials
from broker.errors import BrokerError, Code
from broker.logs.audit import audit
from broker.model.connect import Credentials
from broker.ports import IAuthenticator, IAuthorizer
from broker.waiters import Waiters

log = Logger()

MAXIMUM_FILE_SIZE = 16 * 1024 * 1024


class _Stamp(NamedTuple):
    """What changes when a file is written anew."""

    modified: int
    size: int
    inode: int


_NEVER = _Stamp(0, -1, 0)
"""The stamp of no file."""


@implementer(IAuthenticator, IAuthorizer)
class HtpasswdFile:
    """An htpasswd file that is read again when a login finds that it has changed.

    A line that cannot be understood lets nobody in, and is logged. A file that cannot be read any more is logged once;
    the users of the last good one go on.

    Args:
        path: of the file, which is read at once.
        run: takes hashing and reading off the reactor thread.
        allow_partial_usernames: an entry also counts for users whose name it begins or ends.
        verified: users whose last right password is remembered.

    Attributes:
        on_change: called when the file has been read again, with what tells whether a login name has another password
            than before, or none any more.

    Raises:
        BrokerError: ``resource.fileIO`` or ``resource.configuration`` for a file that cannot be read.
    """

    def __init__(
        self, path: Path, run: Executor, *, allow_partial_usernames: bool = False, verified: int = 10_000
    ) -> None:
        self._path = path
        self._run = run
        self._partial = allow_partial_usernames
        self._verified = VerifiedCredentials(verified)
        self._reading: Waiters | None = None  # while the file is read again
        self._stamp = _stamp(path)
        self._users = _read(path)
        self.on_change: Callable[[Callable[[str], bool]], object] = lambda is_altered: None
        self._warn()

    @property
    def path(self) -> Path:
        """Of the file."""
        return self._path

    def permits(self, subject: str, method: str, target: str) -> bool:
        """See :class:`broker.ports.IAuthorizer`; a subject that the file does not name may do nothing."""
        entry = self._users.find(subject, partial=self._partial)
        if entry is None:
            return self._users.unchecked
        return entry.rules.permits(method, target)

    async def exists(self, name: str) -> bool:
        """See :class:`broker.ports.IAuthenticator`: whoever could log in with the right password."""
        await self.refresh()
        users = self._users
        known = users.unchecked or users.find(name, partial=self._partial) is not None
        return known and subject_of(name) == name

    async def authenticate(self, credentials: Credentials, host: str) -> None:
        """See :class:`broker.ports.IAuthenticator`; ``host`` does not matter."""
        await self.refresh()
        users = self._users
        if users.unchecked:
            return
        password = credentials.password
        user = subject_of(credentials.user)
        entry = users.find(user, partial=self._partial) if user else None
        if user and entry is not None and entry.any_password:
            return
        if len(password) > MAXIMUM_PASSWORD_LENGTH:
            raise access_denied()
        known = entry.hash if entry is not None else None
        if user and known is not None and self._verified.contains(user, known.text, password):
            return
        # The same work for users who do not exist, or its time would tell who does.
        candidate = known or users.decoy
        matched = candidate is not None and await self._run(candidate.matches, password)
        if not user or known is None or not matched:
            raise access_denied()
        self._verified.add(user, known.text, password)

    async def reload(self) -> bool:
        """Read the file again; returns whether it could be, else the log says why and the last good one stays."""
        self._stamp = _NEVER
        return await self.refresh()

    async def refresh(self) -> bool:
        """Read the file again if it has changed, which the audit has a line of; returns whether it could be read."""
        while _stamp(self._path) != self._stamp:
            if self._reading is not None:
                await self._reading.next()
                continue
            reading = self._reading = Waiters()
            try:
                return await self._read_again()
            finally:
                self._reading = None
                reading.tell()
        return True

    async def _read_again(self) -> bool:
        # Taken before reading: what is written meanwhile makes the next login read again.
        stamp = _stamp(self._path)
        changed = self._stamp is not _NEVER  # else somebody has asked for it, and the audit has a line of that
        outcome = "failed"
        try:
            users = await self._run(_read, self._path)
            outcome = "done"
        except BrokerError as error:
            log.error("{error}; its last good version stays in force", error=error.message)
            return False
        finally:
            if changed:
                audit("htpasswd.change", {"via": "file", "target": str(self._path), "outcome": outcome})
            # Not before, or a login that comes while the file is read would be checked against the old users.
            self._stamp = stamp
        log.info("{path} was read again", path=str(self._path))
        before, self._users = self._users, users
        self._warn()
        self.on_change(lambda user: users.alters(before, user, partial=self._partial))
        return True

    def _warn(self) -> None:
        for warning in self._users.warnings:
            log.warn("{path}, {warning}", path=str(self._path), warning=warning)


def _stamp(path: Path) -> _Stamp | None:
    """The file's stamp, ``None`` while it cannot be found."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return _Stamp(status.st_mtime_ns, status.st_size, status.st_ino)


def _read(path: Path) -> Htpasswd:
    try:
        with path.open("rb") as file:
            data = file.read(MAXIMUM_FILE_SIZE + 1)
    except OSError as error:
        raise BrokerError(Code.RESOURCE_FILE_IO, f"{path} cannot be read: {error.strerror}") from None
    if len(data) > MAXIMUM_FILE_SIZE:
        raise BrokerError(Code.RESOURCE_CONFIGURATION, f"{path} has more than {MAXIMUM_FILE_SIZE} bytes")
    return parse_htpasswd(data)
