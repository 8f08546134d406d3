"""``/health/checks`` and ``/diagnose``: what is wrong, and what to do."""

from __future__ import annotations

from http import HTTPStatus

import msgspec

from broker.admin.api.gate import Gate
from broker.admin.api.operations import API, Operation, Parameter
from broker.admin.api.query import whole_number
from broker.admin.findings.checks import WITHIN_DAYS, WITHIN_HOURS, Check, CheckName, Checks, Status
from broker.admin.findings.diagnosis import diagnose
from broker.admin.findings.finding import Finding
from broker.admin.findings.watch import Watch
from broker.admin.moment import moment
from broker.admin.roles import Right, Role
from broker.errors import Code
from broker.net.http.exchange import Answer, Call, json
from broker.net.http.problem import Refused
from broker.net.http.routes import Cost

MAX_DAYS = 3650
MAX_HOURS = 24 * 366


class CheckList(msgspec.Struct, frozen=True):
    """The answer of ``/health/checks``.

    Args:
        status: the worst of all.
        checks: each of them.
    """

    status: Status
    checks: list[Check]


class Diagnosis(msgspec.Struct, frozen=True, rename="camel"):
    """The answer of ``/diagnose``.

    Args:
        findings: the worst first.
        as_of: when that was.
    """

    findings: list[Finding]
    as_of: str


def check_operations(watch: Watch, gate: Gate) -> list[Operation]:
    """The operations of checks.

    Args:
        watch: the numbers of the broker.
        gate: tells who asks. Who has no role is told the status only.
    """
    checks = Checks(watch)

    def told(call: Call, check: Check) -> Check:
        return check if gate.actor(call).role > Role.NOBODY else Check(check.name, check.status)

    async def all_checks(call: Call) -> Answer:
        found = [told(call, check) for check in checks.all()]
        status = max((check.status for check in found), key=list(Status).index)
        return json(CheckList(status, found), _http(status))

    async def one_check(call: Call) -> Answer:
        name = call.parameters["name"]
        try:
            known = CheckName(name)
        except ValueError:
            reason = f"there is no check {name[:64]}; there are {', '.join(CheckName)}"
            raise Refused(HTTPStatus.NOT_FOUND, Code.USER_OID_UNKNOWN, reason) from None
        days = whole_number(call, "withinDays", WITHIN_DAYS, 1, MAX_DAYS)
        hours = whole_number(call, "withinHours", WITHIN_HOURS, 1, MAX_HOURS)
        check = checks.check(known, days, hours)
        return json(told(call, check), _http(check.status))

    return [
        Operation(
            "getChecks",
            "GET",
            "/health/checks",
            Right.ALL,
            all_checks,
            "How the parts of the broker are; 503 where one of them fails.",
            CheckList,
            any_level=True,
            also=HTTPStatus.SERVICE_UNAVAILABLE,
        ),
        Operation(
            "getCheck",
            "GET",
            "/health/checks/{name}",
            Right.ALL,
            one_check,
            "How one part of the broker is; 503 where it fails.",
            Check,
            (
                Parameter("withinDays", {"type": "integer", "minimum": 1, "maximum": MAX_DAYS, "default": WITHIN_DAYS}),
                Parameter(
                    "withinHours", {"type": "integer", "minimum": 1, "maximum": MAX_HOURS, "default": WITHIN_HOURS}
                ),
            ),
            any_level=True,
            also=HTTPStatus.SERVICE_UNAVAILABLE,
        ),
    ]


def diagnosis_operations(watch: Watch) -> list[Operation]:
    """The operation of the diagnosis.

    Args:
        watch: the numbers of the broker.
    """

    async def tell(call: Call) -> Answer:
        findings = await diagnose(watch)
        return json(Diagnosis(findings, moment(int(watch.wall() * 1000))))

    return [
        Operation(
            "diagnose",
            "GET",
            f"{API}/diagnose",
            Right.MONITORING,
            tell,
            "What is wrong or odd, the worst first, and what to do.",
            Diagnosis,
            cost=Cost.HEAVY,
            any_level=True,
        )
    ]


def _http(status: Status) -> HTTPStatus:
    return HTTPStatus.SERVICE_UNAVAILABLE if status is Status.FAIL else HTTPStatus.OK
