"""Operations that read what there is: the overview, connections, sessions, topics and queues."""

from __future__ import annotations

import time

from broker.admin.api.lists import get_operation, list_operation
from broker.admin.api.operations import API, Operation
from broker.admin.census import Census
from broker.admin.findings.alarms import Alarms
from broker.admin.health import Health
from broker.admin.instance import Instance
from broker.admin.roles import Right
from broker.admin.store_files import StoreFiles
from broker.admin.views.connections import ConnectionRow, connection_row, connections, find_connection
from broker.admin.views.overview import Overview, overview
from broker.admin.views.queues import QueueRow, find_queue, queue_row, queues
from broker.admin.views.sessions import SessionRow, find_session, session_row, sessions
from broker.admin.views.subjects import SubjectRow, subject_row, subjects
from broker.admin.views.topics import TopicRow, topic_row, topics
from broker.admin.why import Why
from broker.core.node import Node
from broker.net.http.exchange import Answer, Call, json


def resource_operations(
    instance: Instance, health: Health, census: Census, files: StoreFiles, alarms: Alarms
) -> list[Operation]:
    """The operations.

    Args:
        instance: the broker.
        health: of it.
        census: numbers of its objects.
        files: of the store.
        alarms: what is wrong.
    """

    def rate(id: int) -> float | None:
        return census.flows.rate(id)

    def entered_rate(id: int) -> float | None:
        return census.flows.entered_rate(id)

    why = Why(instance, rate, entered_rate)

    def node() -> Node:
        return instance.broker.node

    async def tell_overview(call: Call) -> Answer:
        return json(overview(instance, health, census, files, alarms, int(time.time() * 1000)))

    def connection(call: Call) -> ConnectionRow | None:
        found = find_connection(instance, call.parameters["id"])
        return None if found is None else connection_row(instance, found)

    def session(call: Call) -> SessionRow | None:
        found = find_session(node(), call.parameters["subject"], call.parameters["publicId"])
        return None if found is None else session_row(instance.broker, found, why)

    def subject(call: Call) -> SubjectRow | None:
        found = node().subjects.get(call.parameters["name"])
        return None if found is None else subject_row(found)

    def topic(call: Call) -> TopicRow | None:
        found = node().topics.get(call.parameters["oid"])
        return None if found is None else topic_row(node(), found)

    def queue(call: Call) -> QueueRow | None:
        found = find_queue(node(), call.parameters["relating"], call.parameters["owner"])
        return None if found is None else queue_row(found, why)

    return [
        Operation(
            "getOverview",
            "GET",
            f"{API}/overview",
            Right.MONITORING,
            tell_overview,
            "The broker at a glance.",
            Overview,
            any_level=True,
        ),
        list_operation("listConnections", "/connections", "Connections of clients.", instance, connections(instance)),
        get_operation("getConnection", "/connections/{id}", "One connection.", ConnectionRow, connection, "connection"),
        list_operation("listSessions", "/sessions", "Sessions.", instance, sessions(lambda: instance.broker, why)),
        get_operation("getSession", "/sessions/{subject}/{publicId}", "One session.", SessionRow, session, "session"),
        list_operation("listSubjects", "/subjects", "Login names that are known now.", instance, subjects(node)),
        get_operation("getSubject", "/subjects/{name}", "One login name.", SubjectRow, subject, "login name"),
        list_operation("listTopics", "/topics", "Topics.", instance, topics(node)),
        get_operation("getTopic", "/topics/{oid}", "One topic.", TopicRow, topic, "topic"),
        list_operation("listQueues", "/queues", "Queues.", instance, queues(node, why)),
        get_operation("getQueue", "/queues/{relating}/{owner}", "One queue.", QueueRow, queue, "queue"),
    ]
