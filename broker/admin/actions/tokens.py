"""``/tokens``: of programs that administer (operations §1.3)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Literal

import msgspec

from broker.admin.access import Access
from broker.admin.actions.change import DONE, Body, ChangeDesk, Done, Request, broker_of, change_operation
from broker.admin.api.bodies import wrong_member
from broker.admin.api.gate import Actor
from broker.admin.api.operations import API, Operation
from broker.admin.moment import moment
from broker.admin.roles import Right, Role, SocketRole, role_of
from broker.admin.tokens import Token, Tokens
from broker.errors import BrokerError, Code
from broker.net.http.exchange import Answer, Call, json

DAYS = 90
DAY = 86_400_000
MAX_DAYS = 3650


class NewToken(Body, frozen=True):
    """A token that is wanted.

    Args:
        name: for people.
        role: that it has at most; that of its owner where it is not given.
        owner: login name; over the socket it has to be given, and whoever is logged in gets tokens of their own.
        days: until it expires, or ``never``.
    """

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    role: SocketRole | None = None
    owner: str = ""
    days: Annotated[int, msgspec.Meta(ge=1, le=MAX_DAYS)] | Literal["never"] = DAYS


class TokenRow(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """A token.

    Args:
        id: of it.
        owner: login name.
        name: for people.
        role: that it has at most; never more than its owner has.
        created_at: when it was made.
        expires_at: when it ends; absent where it does not.
        last_used_at: the hour in which it was used last; absent where it was not.
        token: what a program sends, ``Authorization: Bearer …``; told once, when it is made.
    """

    id: str
    owner: str
    name: str
    role: str
    created_at: str
    expires_at: str | None = None
    last_used_at: str | None = None
    token: str | None = None


class TokenList(msgspec.Struct, frozen=True, rename="camel"):
    """Tokens.

    Args:
        items: a row for each.
        as_of: when they were looked at.
    """

    items: list[TokenRow]
    as_of: str


def token_operations(desk: ChangeDesk, access: Access) -> list[Operation]:
    """The operations.

    Args:
        desk: where changes are made.
        access: has the tokens.
    """

    def tokens() -> Tokens:
        if access.tokens is None:
            raise BrokerError(Code.RESOURCE_UNAVAILABLE, "there are no tokens at this run level")
        return access.tokens

    async def tell(call: Call) -> Answer:
        actor = desk.gate.actor(call)
        everybody = actor.role is Role.ADMINISTRATOR
        rows = [token_row(each) for each in tokens().of(None if everybody else actor.name)]
        return json(TokenList(rows, moment(broker_of(desk).node.now())))

    async def make(request: Request[NewToken]) -> TokenRow:
        actor, body = desk.gate.actor(request.call), request.body
        owner = _owner(actor, body)
        most = access.granted(owner).role
        role = most if body.role is None else role_of(body.role.value)
        if role > most or not role:
            raise wrong_member("/role", f"{owner} has the role {most.label or 'of nobody'}, and no token has more")
        expires = 0 if body.days == "never" else broker_of(desk).node.now() + body.days * DAY
        text, token = tokens().make(owner, body.name, role, expires)
        return token_row(token, text)

    async def revoke(request: Request[Body]) -> Done:
        actor = desk.gate.actor(request.call)
        own = tokens().of(None if actor.role is Role.ADMINISTRATOR else actor.name)
        token = next((each for each in own if each.id == request["id"]), None)
        if token is None:
            raise BrokerError(Code.USER_OID_UNKNOWN, f"there is no token {request['id'][:200]}")
        tokens().revoke(token)
        return DONE

    return [
        Operation(
            "listTokens",
            "GET",
            f"{API}/tokens",
            Right.MONITORING,
            tell,
            "Tokens of the one who asks; of all for administrators.",
            TokenList,
        ),
        change_operation(
            desk,
            "createToken",
            "POST",
            "/tokens",
            Right.MONITORING,
            "Make a token for a program; its text is told this once.",
            "token.create",
            NewToken,
            TokenRow,
            make,
            status=HTTPStatus.CREATED,
        ),
        change_operation(
            desk,
            "revokeToken",
            "DELETE",
            "/tokens/{id}",
            Right.MONITORING,
            "End a token.",
            "token.revoke",
            Body,
            Done,
            revoke,
        ),
    ]


def token_row(token: Token, text: str | None = None) -> TokenRow:
    """What is told of a token."""
    return TokenRow(
        token.id,
        token.owner,
        token.name,
        token.role.label,
        moment(token.created),
        moment(token.expires) if token.expires else None,
        moment(token.used) if token.used else None,
        text,
    )


def _owner(actor: Actor, body: NewToken) -> str:
    """Whose token is made.

    Raises:
        BrokerError: ``user.notAuthorized`` where a program would make another token, so that one that was stolen lasts.
    """
    if actor.via == "session":
        if body.owner not in ("", actor.name):
            raise wrong_member("/owner", "whoever is logged in makes tokens of their own")
        return actor.name
    if actor.via == "socket" and actor.role is Role.ADMINISTRATOR:
        if not body.owner:
            raise wrong_member("/owner", "over the socket the login name has to be given that the token is for")
        return body.owner
    raise BrokerError(Code.USER_NOT_AUTHORIZED, "tokens are made by people who are logged in, or over the socket")
