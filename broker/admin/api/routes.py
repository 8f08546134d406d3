"""The operation that tells where a message of an XMPP client would go."""

from __future__ import annotations

from http import HTTPStatus

import msgspec

from broker.admin.api.bodies import read_body, wrong_member
from broker.admin.api.operations import API, Operation
from broker.admin.instance import Instance
from broker.admin.roles import Right
from broker.errors import BrokerError, Code
from broker.net.http.exchange import Answer, Call, json
from broker.net.http.problem import Refused
from broker.net.http.routes import Cost
from broker.xmpp.routing.explanation import RouteExplainer, RouteOutcome


class ExplainRoute(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """A message that could be sent.

    Args:
        from_: JID of the sender; without a resource any client of the account.
        to: JID of the receiver.
        type: ``normal``, ``chat``, ``headline``, ``groupchat`` or ``error``.
    """

    from_: str
    to: str
    type: str = "normal"


class ResourceRow(msgspec.Struct, frozen=True):
    """A resource of the receiver.

    Args:
        jid: of it.
        gets: it gets the message.
        carbon: it gets a copy (XEP-0280).
        reason: why, or why not.
    """

    jid: str
    gets: bool
    carbon: bool
    reason: str


class RouteRow(msgspec.Struct, frozen=True):
    """Where a message would go.

    Args:
        outcome: ``delivered``, ``waits`` for the account, ``refused``, or ``dropped`` without a word.
        reason: one sentence.
        resources: of the receiver.
    """

    outcome: RouteOutcome
    reason: str
    resources: list[ResourceRow]


def route_operations(instance: Instance) -> list[Operation]:
    """The operation.

    Args:
        instance: the broker.
    """

    async def explain(call: Call) -> Answer:
        body = read_body(call, ExplainRoute)
        service = instance.xmpp.current
        if service is None:
            raise Refused(HTTPStatus.CONFLICT, Code.USER_ILLEGAL_ARGUMENT, "no listener of XMPP is open")
        try:
            told = await RouteExplainer(service.domain).explain(body.from_, body.to, body.type)
        except BrokerError as error:
            if error.code == Code.USER_ILLEGAL_ARGUMENT:
                raise wrong_member("/to", error.message) from error
            raise
        rows = [ResourceRow(each.jid, each.gets, each.carbon, each.reason) for each in told.resources]
        return json(RouteRow(told.outcome, told.reason, rows))

    return [
        Operation(
            "explainRoute",
            "POST",
            f"{API}/routes/explain",
            Right.MONITORING,
            explain,
            "Which resources a message of an XMPP client would reach, and why; nothing is sent.",
            RouteRow,
            cost=Cost.STORE,
            body=ExplainRoute,
        )
    ]
