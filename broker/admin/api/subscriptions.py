"""Operations that read subscriptions, and explain them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import msgspec

from broker.admin.api.bodies import read_body, wrong_member
from broker.admin.api.lists import collection_parameters, get_operation, list_operation, read_wanted
from broker.admin.api.operations import API, Operation
from broker.admin.instance import Instance
from broker.admin.listing import Page, make_page
from broker.admin.moment import moment
from broker.admin.roles import Right
from broker.admin.views.sessions import find_session
from broker.admin.views.subscriptions import (
    Explained,
    FilterRow,
    ReceiverRow,
    SubscriptionRow,
    explained,
    receivers,
    subscription_row,
    subscriptions,
)
from broker.core.message import Message
from broker.core.node import Node
from broker.core.sessions import Session
from broker.core.subscriptions import Subscription
from broker.core.topics import Topic
from broker.errors import BrokerError, Code
from broker.model.base64_text import bytes_or_none
from broker.model.key import Filter, Key, QueryKey, QueryKind
from broker.model.property import property_of
from broker.model.qos import PublishQos, QueryQos
from broker.net.http.exchange import Answer, Call, json
from broker.net.http.problem import Refused
from broker.net.http.routes import Cost


class Query(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a subscription would select, by one of these, and its filters.

    Args:
        oid: of a topic.
        xpath: expression over keys of topics.
        domain: of topics.
        filters: that let messages pass.
    """

    oid: str = ""
    xpath: str = ""
    domain: str = ""
    filters: list[FilterRow] = []


class Sample(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A message that filters are asked about.

    Args:
        content_text: its content, as text.
        content_base64: or as base64.
        properties: of the client; numbers and truth values have their type, as filters compare them.
        sender: session that publishes it, ``ann/1``.
    """

    content_text: str | None = None
    content_base64: str | None = None
    properties: dict[str, bool | int | float | str] = {}
    sender: str | None = None


class Explain(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be explained.

    Args:
        topic: oid.
        subscription: id of one.
        session: name of one, ``joe/1``, of whose subscriptions the best is explained; or that would have the query.
        query: that the session would subscribe to.
        message: that would be published; absent for any, so that filters are not asked.
    """

    topic: str
    subscription: str | None = None
    session: str | None = None
    query: Query | None = None
    message: Sample | None = None


def subscription_operations(instance: Instance) -> list[Operation]:
    """The operations.

    Args:
        instance: the broker.
    """

    def node() -> Node:
        return instance.broker.node

    def subscription(call: Call) -> SubscriptionRow | None:
        found = node().subscriptions.get(call.parameters["id"])
        return None if found is None else subscription_row(found)

    async def explain(call: Call) -> Answer:
        body = read_body(call, Explain)
        broker = instance.broker
        message = None if body.message is None else _message(broker.node, body.topic, body.message)
        sender = None
        if body.message is not None and body.message.sender is not None:
            sender = _session(broker.node, body.message.sender, "/message/sender")
        told = [
            explained(each, body.topic, broker.explanation.of(each, body.topic, message, sender))
            for each in _subscriptions(broker.node, body)
        ]
        return json(max(told, key=_success))

    async def list_receivers(call: Call) -> Answer:
        found = node().topics.get(call.parameters["oid"])
        if found is None:
            raise Refused(
                HTTPStatus.NOT_FOUND, Code.USER_OID_UNKNOWN, f"there is no topic {call.parameters['oid'][:200]}"
            )
        collection = receivers(lambda: instance.broker, lambda: found)
        wanted = read_wanted(call, collection)
        return json(await make_page(collection, wanted, instance.reactor, lambda: moment(node().now())))

    return [
        list_operation(
            "listSubscriptions", "/subscriptions", "Subscriptions of sessions.", instance, subscriptions(node)
        ),
        get_operation(
            "getSubscription", "/subscriptions/{id}", "One subscription.", SubscriptionRow, subscription, "subscription"
        ),
        Operation(
            "explainSubscription",
            "POST",
            f"{API}/subscriptions/explain",
            Right.MONITORING,
            explain,
            "Why a subscription gets what is published on a topic, or does not; nothing changes.",
            Explained,
            cost=Cost.SCAN,
            body=Explain,
        ),
        Operation(
            "listReceivers",
            "GET",
            f"{API}/topics/{{oid}}/receivers",
            Right.MONITORING,
            list_receivers,
            "Subscriptions that get what is published on a topic, and those that do not, with the reason.",
            Page,
            collection_parameters(_PROTOTYPE),
            ReceiverRow,
            Cost.SCAN,
        ),
    ]


def _nothing() -> Any:
    """Nobody asks this one for its objects."""


_PROTOTYPE = receivers(_nothing, _nothing)


def _success(told: Explained) -> tuple[bool, int]:
    return told.delivers, sum(step.outcome == "pass" for step in told.steps)


def _subscriptions(node: Node, body: Explain) -> list[Subscription]:
    """The subscriptions that are meant.

    Raises:
        Refused: 400 where none is.
    """
    if body.subscription is not None:
        known = node.subscriptions.get(body.subscription)
        if known is None or body.session is not None or body.query is not None:
            raise wrong_member("/subscription", "there is no such subscription, or more is given beside it")
        return [known]
    if body.session is None:
        raise wrong_member("/session", "a subscription, or a session, must be given")
    session = _session(node, body.session, "/session")
    if body.query is not None:
        return [_possible(node, session, body.query)]
    found = list(session.subscriptions.values())
    if not found:
        raise wrong_member("/session", "it has no subscriptions; with a query it is told what one would get")
    return found


def _possible(node: Node, session: Session, query: Query) -> Subscription:
    """A subscription as a session could make it.

    Raises:
        Refused: 400 where it could not.
    """
    filters = tuple(Filter(each.type, each.query) for each in query.filters)
    kinds = {QueryKind.EXACT: query.oid, QueryKind.XPATH: query.xpath, QueryKind.DOMAIN: query.domain}
    given = [kind for kind, text in kinds.items() if text]
    if len(given) != 1:
        raise wrong_member("/query", "it has one of oid, xpath and domain")
    key = QueryKey(given[0], query.oid, query.xpath, query.domain, filters)
    account = session.subject.name
    try:
        compiled = node.queries.compile(query.xpath, account) if query.xpath else None
        accepts = node.queries.filters(filters, account)
    except BrokerError as error:
        raise wrong_member("/query", error.message) from error
    return Subscription("", session, key, QueryQos(), accepts, node.now(), compiled)


def _session(node: Node, name: str, pointer: str) -> Session:
    subject, _, number = name.rpartition("/")
    found = find_session(node, subject, number)
    if found is None:
        raise wrong_member(pointer, f"there is no session {name[:200]}")
    return found


def _message(node: Node, oid: str, sample: Sample) -> Message:
    content = (sample.content_text or "").encode()
    if sample.content_base64 is not None:
        decoded = bytes_or_none(sample.content_base64)
        if decoded is None or sample.content_text is not None:
            raise wrong_member("/message/contentBase64", "it is base64, and there is no contentText beside it")
        content = decoded
    properties = tuple(property_of(name, value) for name, value in sample.properties.items())
    topic: Topic | None = node.topics.get(oid)
    key = Key(oid) if topic is None or topic.key is None else topic.key
    return node.message(node.envelope(key, PublishQos(properties=properties)), content)
