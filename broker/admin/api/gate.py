"""Lets requests in by what those who send them are."""

from __future__ import annotations

import os
from dataclasses import dataclass
from http import HTTPStatus

from broker.admin.roles import Right, Role, SocketRole
from broker.errors import BrokerError, Code
from broker.net.http.exchange import Call
from broker.net.http.problem import Refused
from broker.net.http.routes import Route

ROOT = 0
OF_BROWSERS = ("origin", "sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest", "sec-fetch-user")
"""Headers that a browser sends. What forwards one to the socket would lend its own permissions to any page."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks.

    Args:
        role: that it has.
        name: for people, e.g. ``uid 1000``; empty where nothing is known.
        via: how it came in: ``socket`` or ``http``.
    """

    role: Role
    name: str
    via: str


class Gate:
    """Tells who asks, and keeps those from routes who may not use them.

    Over the Unix socket root and the user of this process are administrators, and whoever else its file lets in, which
    are members of its group, has the role that is configured for them. Nobody can log in over HTTP yet.

    Args:
        group: role of members of the socket's group.
        public: routes that need a role are for everybody, as on a port of their own that is not for strangers.
    """

    def __init__(self, group: SocketRole = SocketRole.MONITORING, *, public: bool = False) -> None:
        self._group = group.role
        self._public = public

    def __call__(self, call: Call, route: Route) -> None:
        """Let a request in.

        Raises:
            BrokerError: ``user.security.authentication.accessDenied`` where nobody is logged in,
                ``user.security.authorization.notAuthorized`` where the role does not suffice, or a browser forwards
                into the Unix socket.
        """
        actor = self.actor(call)
        if actor.via == "socket" and any(name in call.headers for name in OF_BROWSERS):
            raise BrokerError(Code.USER_NOT_AUTHORIZED, "the Unix socket is not for browsers")
        needed = Right(route.right).role
        if self._public or actor.role >= needed:
            return
        if actor.role is Role.NOBODY:
            raise Refused(
                HTTPStatus.UNAUTHORIZED,
                Code.USER_ACCESS_DENIED,
                "this is served over the Unix socket only",
                headers=[("WWW-Authenticate", 'Bearer realm="broker"')],
            )
        raise BrokerError(Code.USER_NOT_AUTHORIZED, f"this is for the role {needed.label}")

    def actor(self, call: Call) -> Actor:
        """Who asks."""
        credentials = call.peer.credentials
        if credentials is None:
            return Actor(Role.NOBODY, "", "http")
        trusted = credentials.uid in (ROOT, os.geteuid())
        return Actor(Role.ADMINISTRATOR if trusted else self._group, f"uid {credentials.uid}", "socket")
