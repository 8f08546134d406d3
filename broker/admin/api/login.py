"""``/login`` and ``/logout``, for people with browsers."""

from __future__ import annotations

from http import HTTPStatus

import msgspec

from broker.admin.access import Access
from broker.admin.api.bodies import read_body
from broker.admin.api.gate import Gate
from broker.admin.api.operations import API, Operation
from broker.admin.browser_sessions import ABSOLUTE, IDLE
from broker.admin.roles import Right
from broker.errors import BrokerError, Code
from broker.net.http.cookies import set_cookie, take_cookie
from broker.net.http.exchange import JSON_TYPE, Answer, Call
from broker.net.http.problem import Refused

RETRY_AFTER = 6
"""Seconds in which one guess is forgotten; see :class:`broker.auth.throttle.LoginThrottle`."""


class Login(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who logs in.

    Args:
        user: login name of an account with a role.
        password: of the account.
    """

    user: str
    password: str


class LoggedIn(msgspec.Struct, frozen=True, rename="camel"):
    """A login; the cookie that comes with it stands for it.

    Args:
        user: login name.
        role: ``monitoring``, ``operator`` or ``administrator``.
        csrf_token: each change shows it in the header ``X-Broker-CSRF``.
        idle_seconds: without a request until the login ends.
        absolute_seconds: until it ends in any case.
    """

    user: str
    role: str
    csrf_token: str
    idle_seconds: int
    absolute_seconds: int


def login_operations(access: Access, gate: Gate) -> list[Operation]:
    """The operations.

    Args:
        access: knows who may log in.
        gate: tells who is logged in.
    """

    async def login(call: Call) -> Answer:
        body = read_body(call, Login)
        try:
            cookie, session = await access.log_in(body.user, body.password, call.peer.host)
        except BrokerError as error:
            if error.code == Code.RESOURCE_TEMPORARY_UNAVAILABLE:  # the server is well: somebody guesses
                retry = ("Retry-After", str(RETRY_AFTER))
                raise Refused(
                    HTTPStatus.TOO_MANY_REQUESTS,
                    Code.RESOURCE_TEMPORARY_UNAVAILABLE,
                    error.message,
                    headers=[retry],
                ) from error
            raise
        former = gate.actor(call).session
        if former is not None:
            access.sessions.end(former)
        told = LoggedIn(session.user, access.granted(session.user).role.label, session.csrf, IDLE, ABSOLUTE)
        header = set_cookie(gate.cookie_name(call), cookie, secure=gate.is_secure(call))
        return Answer(msgspec.json.encode(told), JSON_TYPE, headers=(header,))

    async def logout(call: Call) -> Answer:
        session = gate.actor(call).session
        if session is not None:
            access.sessions.end(session)
        header = take_cookie(gate.cookie_name(call), secure=gate.is_secure(call))
        return Answer(b"", status=HTTPStatus.NO_CONTENT, headers=(header,))

    return [
        Operation(
            "logIn",
            "POST",
            f"{API}/login",
            Right.ALL,
            login,
            "Log in with a browser.",
            LoggedIn,
            body=Login,
            any_level=True,
        ),
        Operation(
            "logOut",
            "POST",
            f"{API}/logout",
            Right.ALL,
            logout,
            "Log out.",
            None,
            status=HTTPStatus.NO_CONTENT,
            any_level=True,
        ),
    ]
