"""Logins of people who administer with a browser: a cookie stands for each (operations §1.3)."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256

IDLE = 1800
"""Seconds without a request of the person until a login ends."""
ABSOLUTE = 43_200
"""Seconds until a login ends in any case."""
MAX_OF_USER = 10
MAX_SESSIONS = 1000
SECRET_BYTES = 32


@dataclass(slots=True, eq=False)
class BrowserSession:
    """One login.

    Args:
        user: login name.
        csrf: what a change has to show beside the cookie, which a browser sends for any page.
        began: monotonic seconds.
        seen: of the last request of the person, monotonic seconds.
        ended: it counts no more.
        on_end: called when it ends, so that what is still being sent to it stops.
    """

    user: str
    csrf: str = field(repr=False)
    began: float
    seen: float
    ended: bool = False
    on_end: list[Callable[[], None]] = field(default_factory=list, repr=False)

    def allows(self, token: str) -> bool:
        """Whether a change shows the token of this login."""
        return hmac.compare_digest(token.encode("utf-8", "replace"), self.csrf.encode())


class BrowserSessions:
    """All of them, in memory only: a restart of the broker logs everybody out.

    Of one user the one that was not used for longest makes room for the eleventh, and so of all for the thousand and
    first.

    Args:
        monotonic: seconds by a clock that nobody sets.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._sessions: dict[bytes, BrowserSession] = {}  # by the hash of their cookies, the last used one last

    def __len__(self) -> int:
        return len(self._sessions)

    def open(self, user: str) -> tuple[str, BrowserSession]:
        """Log somebody in, who has shown to be a user.

        Args:
            user: login name.

        Returns:
            The cookie, which is not kept, and the login.
        """
        self._end_overdue()
        own = [each for each in self._sessions.values() if each.user == user]
        if len(own) >= MAX_OF_USER:
            self.end(own[0])
        if len(self._sessions) >= MAX_SESSIONS:
            self.end(next(iter(self._sessions.values())))
        cookie, now = secrets.token_urlsafe(SECRET_BYTES), self._monotonic()
        login = BrowserSession(user, secrets.token_urlsafe(SECRET_BYTES), now, now)
        self._sessions[_key(cookie)] = login
        return cookie, login

    def find(self, cookie: str, *, automatic: bool) -> BrowserSession | None:
        """The login that a cookie stands for, unless it is over.

        Args:
            cookie: as the browser sends it.
            automatic: the page asks by itself, which keeps no login alive.
        """
        key = _key(cookie)
        login = self._sessions.get(key)
        if login is None:
            return None
        if self._is_overdue(login):
            self.end(login)
            return None
        if not automatic:
            login.seen = self._monotonic()
            self._sessions[key] = self._sessions.pop(key)
        return login

    def end(self, login: BrowserSession) -> None:
        """Log somebody out; a login that has ended changes nothing."""
        if login.ended:
            return
        login.ended = True
        self._sessions = {key: each for key, each in self._sessions.items() if each is not login}
        for listener in login.on_end:
            listener()

    def end_where(self, is_altered: Callable[[str], bool]) -> None:
        """Log out whose account has changed.

        Args:
            is_altered: tells whether a login name is one of these.
        """
        for login in [each for each in self._sessions.values() if is_altered(each.user)]:
            self.end(login)

    def _end_overdue(self) -> None:
        for login in [each for each in self._sessions.values() if self._is_overdue(each)]:
            self.end(login)

    def _is_overdue(self, login: BrowserSession) -> bool:
        now = self._monotonic()
        return now - login.seen >= IDLE or now - login.began >= ABSOLUTE


def _key(cookie: str) -> bytes:
    """By which a cookie is looked up, in a time that tells nothing of those that there are."""
    return sha256(cookie.encode("utf-8", "replace")).digest()
