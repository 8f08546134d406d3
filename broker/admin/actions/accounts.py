"""``/accounts``: those of the store, and who of them may administer (operations §1.11)."""

from __future__ import annotations

from http import HTTPStatus

from broker.admin.access import Access
from broker.admin.actions.change import DONE, Body, ChangeDesk, Done, Request, broker_of, change_operation
from broker.admin.api.lists import collection_parameters, read_wanted
from broker.admin.api.operations import API, Operation, Parameter
from broker.admin.listing import Page, make_page
from broker.admin.moment import moment
from broker.admin.roles import Right
from broker.admin.views.accounts import AccountRole, AccountRow, account_row, accounts
from broker.auth.names import check_account_name
from broker.auth.passwords import account_with_password
from broker.core.broker import Broker
from broker.core.node import Node
from broker.errors import BrokerError, Code
from broker.model.records import BY_ADMINISTRATION, AccountRecord
from broker.net.http.exchange import Answer, Call, json
from broker.net.http.problem import Refused, wrong_parameter
from broker.net.http.routes import Cost

GOES = {"sessions": "end", "documents": "delete"}
"""What becomes of what an account has: it is to be said, though there is no choice."""


class NewAccount(Body, frozen=True):
    """An account that is wanted.

    Args:
        name: login name.
        password: of it.
        role: in administration.
    """

    name: str
    password: str
    role: AccountRole = AccountRole.NONE


class AccountChanges(Body, frozen=True):
    """What is to be changed of an account; what is not given stays.

    Args:
        password: a new one; its clients must log in anew, and its logins and tokens of administration end.
        role: in administration.
        blocked: its logins are refused.
    """

    password: str | None = None
    role: AccountRole | None = None
    blocked: bool | None = None


def account_operations(desk: ChangeDesk, access: Access) -> list[Operation]:
    """The operations.

    Args:
        desk: where changes are made.
        access: knows the roles.
    """

    def node() -> Node:
        return broker_of(desk).node

    described = accounts([], node, access)

    async def list_accounts(call: Call) -> Answer:
        broker = _broker(desk)
        read_wanted(call, described)
        collection = accounts(await desk.instance.store.list_accounts(), node, access)
        wanted = read_wanted(call, collection)
        return json(await make_page(collection, wanted, desk.instance.reactor, lambda: moment(broker.node.now())))

    async def show(call: Call) -> Answer:
        return json(account_row(await _existing(desk, call.parameters["name"]), _broker(desk).node, access))

    async def add(request: Request[NewAccount]) -> AccountRow:
        broker, body, store = _broker(desk), request.body, desk.instance.store
        name = check_account_name(body.name)
        if await store.get_account(name) is not None:
            raise _conflict(f"there is an account {name[:200]} already")
        record = await _made(desk, name, body.password, broker.node.now())
        record = record._replace(role=_stored(body.role))
        await store.put_account(record, BY_ADMINISTRATION)
        await broker.account_changes.apply()
        return account_row(record, broker.node, access)

    async def change(request: Request[AccountChanges]) -> AccountRow:
        broker, body, store = _broker(desk), request.body, desk.instance.store
        record = await _existing(desk, request["name"])
        if body.role is not None:
            record = record._replace(role=_stored(body.role))
        if body.password is not None:
            made = await _made(desk, record.name, body.password, record.created)
            record = made._replace(role=record.role, changed=broker.node.now())
            await store.put_account(record, BY_ADMINISTRATION)
        elif body.role is not None:
            await store.set_role(record.name, record.role, BY_ADMINISTRATION)
        await broker.account_changes.apply()
        if body.blocked is not None:
            broker.control.block(request.asker, broker.node.subject(record.name), body.blocked)
        return account_row(record, broker.node, access)

    async def remove(request: Request[Body]) -> Done:
        for name, value in GOES.items():
            if request.call.query.get(name) != value:
                raise wrong_parameter(name, f"say {name}={value}: nothing of an account stays behind")
        record = await _existing(desk, request["name"])
        await desk.instance.store.delete_account(record.name, BY_ADMINISTRATION)
        await _broker(desk).account_changes.apply()
        return DONE

    return [
        Operation(
            "listAccounts",
            "GET",
            f"{API}/accounts",
            Right.MONITORING,
            list_accounts,
            "Accounts of the store.",
            Page,
            collection_parameters(described),
            AccountRow,
            Cost.STORE,
        ),
        Operation(
            "getAccount",
            "GET",
            f"{API}/accounts/{{name}}",
            Right.MONITORING,
            show,
            "One account.",
            AccountRow,
            cost=Cost.STORE,
        ),
        change_operation(
            desk,
            "addAccount",
            "POST",
            "/accounts",
            Right.ADMINISTRATOR,
            "Make an account.",
            "account.add",
            NewAccount,
            AccountRow,
            add,
            status=HTTPStatus.CREATED,
            cost=Cost.STORE,
            target=lambda request: f"accounts/{request.body.name}",
        ),
        change_operation(
            desk,
            "changeAccount",
            "PATCH",
            "/accounts/{name}",
            Right.ADMINISTRATOR,
            "Give an account another password or role, or refuse its logins.",
            "account.change",
            AccountChanges,
            AccountRow,
            change,
            cost=Cost.STORE,
        ),
        change_operation(
            desk,
            "removeAccount",
            "DELETE",
            "/accounts/{name}",
            Right.ADMINISTRATOR,
            "Remove an account and all that is its own.",
            "account.remove",
            Body,
            Done,
            remove,
            cost=Cost.STORE,
            parameters=tuple(
                Parameter(name, {"type": "string", "enum": [value], "description": "Has to be said."})
                for name, value in GOES.items()
            ),
        ),
    ]


def _broker(desk: ChangeDesk) -> Broker:
    """The core, where its accounts are those of the store.

    Raises:
        Refused: 409 where they are in an htpasswd file, which is changed by whoever has it.
    """
    broker = broker_of(desk)
    htpasswd = desk.instance.security.htpasswd
    if htpasswd is not None:
        raise _conflict(f"accounts are in the htpasswd file {htpasswd.path}; change them there")
    return broker


async def _existing(desk: ChangeDesk, name: str) -> AccountRecord:
    _broker(desk)
    record: AccountRecord | None = await desk.instance.store.get_account(name)
    if record is None:
        raise BrokerError(Code.USER_OID_UNKNOWN, f"there is no account {name[:200]}")
    return record


async def _made(desk: ChangeDesk, name: str, password: str, created: int) -> AccountRecord:
    return await desk.instance.security.run(account_with_password, desk.instance.properties, name, password, created)


def _stored(role: AccountRole) -> str:
    return "" if role is AccountRole.NONE else role.value


def _conflict(reason: str) -> Refused:
    return Refused(HTTPStatus.CONFLICT, Code.USER_CONFIGURATION, reason)
