"""``/audit``: what was done in administration."""

from __future__ import annotations

import base64

import msgspec

from broker.admin.api.operations import API, Operation, Parameter
from broker.admin.api.paging import CURSOR, limit_parameter, read_limit
from broker.admin.instance import Instance
from broker.admin.listing import fingerprint
from broker.admin.moment import moment, read_moment
from broker.admin.roles import Right
from broker.errors import BrokerError, Code
from broker.model.base64_text import bytes_or_none
from broker.model.number import whole_or_none
from broker.model.records import AuditQuery, AuditRecord
from broker.net.http.exchange import Answer, Call, json
from broker.net.http.problem import wrong_parameter
from broker.net.http.routes import Cost

TEXTS = ("principal", "action", "target")
TIMES = ("since", "until")


class AuditRow(msgspec.Struct, frozen=True, omit_defaults=True):
    """What somebody has done.

    Args:
        id: unique, ascending.
        at: when.
        principal: login name, ``uid 0``, or user of the operating system.
        via: how it came: ``socket``, ``session``, ``token …``, ``__cmd``, ``command``, ``signal``.
        action: what was done, e.g. ``session.end``.
        outcome: ``begun``, ``done``, ``failed`` or ``refused``; ``begun`` where it was broken off.
        role: that who did it had.
        peer: address, or the session that sent a message.
        target: what it was done to; absent for the node.
        parameters: with which.
        reason: why.
        code: of the error, where it failed.
        request: id of the request.
    """

    id: str
    at: str
    principal: str
    via: str
    action: str
    outcome: str
    role: str = ""
    peer: str = ""
    target: str = ""
    parameters: str = ""
    reason: str = ""
    code: str = ""
    request: str = ""


class AuditPage(msgspec.Struct, frozen=True, omit_defaults=True):
    """About a page of the audit.

    Args:
        next: cursor of the next page; absent on the last one.
    """

    next: str | None = None


class Audit(msgspec.Struct, frozen=True, rename="camel"):
    """A part of the audit, the newest first.

    Args:
        items: rows.
        page: about them.
        as_of: when they were read.
    """

    items: list[AuditRow]
    page: AuditPage
    as_of: str


def audit_operations(instance: Instance) -> list[Operation]:
    """The operation.

    Args:
        instance: the broker.
    """

    async def tell(call: Call) -> Answer:
        limit = read_limit(call)
        principal, action, target = (call.query.get(name, "") for name in TEXTS)
        since, until = (_time(call, name) for name in TIMES)
        print_ = fingerprint({name: call.query[name] for name in (*TEXTS, *TIMES) if name in call.query})
        before = _read_cursor(call.query["cursor"], print_) if "cursor" in call.query else 0
        store = instance.store
        if store.failure is not None:
            raise BrokerError(Code.RESOURCE_DB_UNAVAILABLE, "the audit cannot be read while the store does not commit")
        found = await store.read_audit(
            AuditQuery(principal, action, target, since, until, before=before, limit=limit + 1)
        )
        rows, more = found[:limit], len(found) > limit
        page = AuditPage(_cursor(rows[-1].id, print_) if more else None)
        return json(Audit([_row(each) for each in rows], page, moment(instance.broker.node.now())))

    text = {"type": "string", "description": "As it is, or its beginning with * at the end."}
    time = {"type": "string", "format": "date-time"}
    return [
        Operation(
            "listAudit",
            "GET",
            f"{API}/audit",
            Right.MONITORING,
            tell,
            "What was done in administration, the newest first.",
            Audit,
            (
                limit_parameter(),
                CURSOR,
                *(Parameter(name, text) for name in TEXTS),
                *(Parameter(name, time) for name in TIMES),
            ),
            cost=Cost.STORE,
        )
    ]


def _row(record: AuditRecord) -> AuditRow:
    return AuditRow(
        id=str(record.id),
        at=moment(record.at),
        principal=record.principal,
        via=record.via,
        action=record.action,
        outcome=record.outcome,
        role=record.role,
        peer=record.peer,
        target=record.target,
        parameters=record.parameters,
        reason=record.reason,
        code=record.code,
        request=record.request,
    )


def _time(call: Call, name: str) -> int:
    text = call.query.get(name)
    if text is None:
        return 0
    milliseconds = read_moment(text)
    if milliseconds is None:
        raise wrong_parameter(name, "it is a time such as 2026-11-30T03:12:07Z")
    return milliseconds


def _cursor(id: int, fingerprint: str) -> str:
    return base64.urlsafe_b64encode(f"{id}.{fingerprint}".encode()).rstrip(b"=").decode()


def _read_cursor(text: str, fingerprint: str) -> int:
    raw = bytes_or_none(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4)) or b""
    number, _, print_ = raw.decode("latin-1").partition(".")
    id = whole_or_none(number, 1, 2**63 - 1)
    if id is None or print_ != fingerprint:
        raise wrong_parameter("cursor", "it is none, or of a list with other filters")
    return id
