"""Lets requests in by what those who send them are."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from http import HTTPStatus

from broker.admin.access import Access
from broker.admin.browser_sessions import BrowserSession
from broker.admin.followers import Principal
from broker.admin.roles import Right, Role, SocketRole
from broker.admin.tokens import Token
from broker.errors import BrokerError, Code
from broker.net.http.cookies import cookie_of
from broker.net.http.exchange import Call
from broker.net.http.origin import comes_from_here
from broker.net.http.problem import Refused
from broker.net.http.routes import Route

ROOT = 0
OF_BROWSERS = ("origin", "sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest", "sec-fetch-user")
"""Headers that a browser sends. What forwards one to the socket would lend its own permissions to any page."""
SECURE_COOKIE, PLAIN_COOKIE = "__Host-broker", "broker-session"
"""Names of the cookie; a browser takes the first one over TLS only, and from this host only."""
CSRF_HEADER = "x-broker-csrf"
AUTOMATIC_HEADER = "x-broker-automatic"
READS = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks.

    Args:
        role: that it has.
        name: for people, e.g. ``uid 1000`` or a login name; empty where nothing is known.
        via: how it came in: ``socket``, ``session`` of a browser, ``token`` of a program, or ``http`` for nobody.
        source: what gives the role: ``socket``, or name of a property.
        session: of a browser.
        token: of a program.
    """

    role: Role
    name: str
    via: str
    source: str = ""
    session: BrowserSession | None = None
    token: Token | None = None


class Gate:
    """Tells who asks, and keeps those from routes who may not use them.

    Over the Unix socket root and the user of this process are administrators, and whoever else its file lets in, which
    are members of its group, has the role that is configured for them. Over HTTP people log in, and their browsers show
    a cookie; a change has to show more than that, or any page could make it in their name. Programs send a token; then
    no cookie is looked at.

    Args:
        access: knows who is logged in; ``None`` for a port where nobody is.
        group: role of members of the socket's group.
        public: routes that need a role are for everybody, as on a port of their own that is not for strangers.
        behind_proxy: something in front of this speaks TLS.
    """

    def __init__(
        self,
        access: Access | None = None,
        group: SocketRole = SocketRole.MONITORING,
        *,
        public: bool = False,
        behind_proxy: bool = False,
    ) -> None:
        self._access = access
        self._group = group.role
        self._public = public
        self._behind_proxy = behind_proxy

    def __call__(self, call: Call, route: Route) -> None:
        """Let a request in.

        Raises:
            BrokerError: ``user.security.authentication.accessDenied`` where nobody is logged in,
                ``user.security.authorization.notAuthorized`` where the role does not suffice, a browser forwards into
                the Unix socket, or a change does not come from a page of this site.
        """
        actor = self.actor(call)
        if actor.via == "socket" and any(name in call.headers for name in OF_BROWSERS):
            raise BrokerError(Code.USER_NOT_AUTHORIZED, "the Unix socket is not for browsers")
        needed = Right(route.right).role
        if route.method not in READS and actor.via != "socket":
            self._check_page(call, actor.session if needed > Role.NOBODY else None)
        if self._public or actor.role >= needed:
            return
        if actor.role is Role.NOBODY and not actor.name:
            raise Refused(
                HTTPStatus.UNAUTHORIZED,
                Code.USER_ACCESS_DENIED,
                "log in first, by POST /api/v1/login or with a token that is valid",
                headers=[("WWW-Authenticate", 'Bearer realm="broker"')],
            )
        raise BrokerError(Code.USER_NOT_AUTHORIZED, f"this is for the role {needed.label}")

    def actor(self, call: Call) -> Actor:
        """Who asks."""
        credentials = call.peer.credentials
        if credentials is not None:
            trusted = credentials.uid in (ROOT, os.geteuid())
            role = Role.ADMINISTRATOR if trusted else self._group
            return Actor(role, f"uid {credentials.uid}", "socket", "socket")
        if self._access is not None and "authorization" in call.headers:
            scheme, _, text = call.headers["authorization"].partition(" ")
            token = self._access.token(text.strip()) if scheme.lower() == "bearer" else None
            if token is not None:
                granted = self._access.granted(token.owner)
                return Actor(min(token.role, granted.role), token.owner, "token", granted.source, token=token)
        elif self._access is not None:
            cookie = cookie_of(call.headers.get("cookie", ""), self.cookie_name(call))
            session = self._access.sessions.find(cookie, automatic=AUTOMATIC_HEADER in call.headers) if cookie else None
            if session is not None:
                granted = self._access.granted(session.user)
                return Actor(granted.role, session.user, "session", granted.source, session)
        return Actor(Role.NOBODY, "", "http")

    def principal(self, call: Call) -> Principal:
        """Who follows something by server-sent events, as long as they have the role that they have now."""
        actor = self.actor(call)
        later = replace(call, headers={**call.headers, AUTOMATIC_HEADER: "1"})  # looking on is no sign of a person

        def is_permitted() -> bool:
            now = self.actor(later)
            return (now.role, now.name) == (actor.role, actor.name)

        return Principal(actor.name, is_permitted)

    def is_secure(self, call: Call) -> bool:
        """Whether a request came over TLS, to here or to what is in front."""
        return call.peer.secure or self._behind_proxy

    def cookie_name(self, call: Call) -> str:
        """Name of the cookie of logins that come the way of a request."""
        return SECURE_COOKIE if self.is_secure(call) else PLAIN_COOKIE

    def _check_page(self, call: Call, session: BrowserSession | None) -> None:
        """Refuse a change that a page of somebody else makes, in the name of who is logged in or by logging in.

        Args:
            call: the request.
            session: that the change would be made by; ``None`` where it needs none, as to log in does.
        """
        if not comes_from_here(call.headers, secure=self.is_secure(call), required=session is not None):
            raise BrokerError(Code.USER_NOT_AUTHORIZED, "changes are made by pages of this site only")
        if session is not None and not session.allows(call.headers.get(CSRF_HEADER, "")):
            raise BrokerError(
                Code.USER_NOT_AUTHORIZED, "a change needs the header X-Broker-CSRF with the csrfToken of /api/v1/me"
            )
