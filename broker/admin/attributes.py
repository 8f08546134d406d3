"""The attributes that administrative commands read and change (spec xmlblaster §16.1)."""

from __future__ import annotations

import gc
import resource
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from broker.core.broker import Broker
from broker.core.sessions import Session
from broker.core.subjects import Subject
from broker.core.subscriptions import Subscription
from broker.core.topics import Topic
from broker.errors import BrokerError, Code

Readers = dict[str, Callable[[Any], object]]
Writers = dict[str, Callable[[Any, str], Awaitable[None]]]

SEPARATOR = ","
PAGE = 4096


def joined(values: object) -> str:
    """Several values as one text."""
    return SEPARATOR.join(str(each) for each in values)  # type: ignore[attr-defined]


def _resident() -> int:
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _available() -> int:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        return 0


def node_readers(broker: Broker, version: str, run_levels: Any) -> Readers:
    """Attributes of the node; the argument of each is not used."""
    node = broker.node
    sessions = node.sessions
    return {
        "nodeId": lambda _: node.id,
        "instanceId": lambda _: broker.instance_id,
        "version": lambda _: version,
        "runlevel": lambda _: run_levels.level,
        "runlevelName": lambda _: run_levels.name,
        "uptime": lambda _: (node.now() - node.started) // 1000,
        "startupDate": lambda _: _date(node.started),
        "serverTimestamp": lambda _: _date(node.now()),
        "serverTimestampMillis": lambda _: node.now(),
        "numNodes": lambda _: 1,
        "nodeList": lambda _: node.id,
        "numClients": lambda _: len(node.subjects),
        "clientList": lambda _: joined(node.subjects),
        "clients": lambda _: joined(node.subjects),
        "numSessions": lambda _: len(sessions),
        "aliveCallbackClients": lambda _: joined(
            each.name.relative for each in sessions.values() if each.dispatch.outbound is not None
        ),
        "numTopics": lambda _: len(node.topics),
        "topicList": lambda _: joined(node.topics),
        "topics": lambda _: joined(node.topics),
        "numSubscriptions": lambda _: len(node.subscriptions),
        "subscriptionList": lambda _: joined(node.subscriptions),
        "subscriptions": lambda _: joined(node.subscriptions),
        "numPublish": lambda _: sum(each.counters.publish for each in sessions.values()),
        "numGet": lambda _: sum(each.counters.get for each in sessions.values()),
        "numUpdate": lambda _: sum(each.dispatch.updates for each in sessions.values()),
        "numDeadMessages": lambda _: broker.letters.count,
        "usedMem": lambda _: _resident(),
        "freeMem": lambda _: _available(),
        "totalMem": lambda _: _resident() + _available(),
        "maxMem": lambda _: _resident() + _available(),
        "storeBacklog": lambda _: node.store.backlog,
        "storeFailure": lambda _: node.store.failure or "",
        "gc": lambda _: gc.collect(),
    }


SUBJECT_READERS: Readers = {
    "loginName": lambda subject: subject.name,
    "creationDate": lambda subject: _date(subject.created),
    "numSessions": lambda subject: len(subject.sessions),
    "maxSessions": lambda subject: subject.max_sessions,
    "sessionList": lambda subject: joined(subject.sessions),
    "sessions": lambda subject: joined(subject.sessions),
    "subjectQueueNumMsgs": lambda subject: len(subject.queue),
    "subjectQueueMaxMsgs": lambda subject: subject.queue.limits.entries,
    "blockClientLogin": lambda subject: _boolean_text(subject.blocked),
}

SESSION_READERS: Readers = {
    "id": lambda session: session.name.absolute,
    "loginName": lambda session: session.name.subject,
    "publicSessionId": lambda session: session.name.public_id,
    "loginDate": lambda session: _date(session.created),
    "connectionState": lambda session: session.dispatch.state.value,
    "callbackConfigured": lambda session: _boolean_text(session.can_receive),
    "dispatcherActive": lambda session: _boolean_text(session.dispatch.active),
    "stalled": lambda session: _boolean_text(session.dispatch.stalled),
    "persistent": lambda session: _boolean_text(session.persistent),
    "sessionTimeout": lambda session: session.timeout,
    "lastCallbackException": lambda session: session.dispatch.last_error or "",
    "cbQueueNumMsgs": lambda session: len(session.queue),
    "cbQueueBytes": lambda session: session.queue.bytes,
    "cbQueueNumMsgsCache": lambda session: session.queue.in_memory,
    "cbQueueMaxMsgs": lambda session: session.queue.limits.entries,
    "cbQueueMaxMsgsCache": lambda session: session.queue.limits.cache_entries,
    "numPublish": lambda session: session.counters.publish,
    "numSubscribe": lambda session: session.counters.subscribe,
    "numUnSubscribe": lambda session: session.counters.unsubscribe,
    "numGet": lambda session: session.counters.get,
    "numErase": lambda session: session.counters.erase,
    "numUpdate": lambda session: session.dispatch.updates,
    "subscriptionList": lambda session: joined(session.subscriptions),
    "subscriptions": lambda session: joined(session.subscriptions),
    "subscribedTopics": lambda session: joined(
        sorted({topic.oid for each in session.subscriptions.values() for topic in each.topics})
    ),
    "remoteProperties": lambda session: joined(
        f"{each.name}={each.text}" for each in session.remote_properties.values()
    ),
}

TOPIC_READERS: Readers = {
    "id": lambda topic: topic.oid,
    "uniqueKey": lambda topic: topic.oid,
    "topicXml": lambda topic: topic.key_xml.decode("utf-8", "replace"),
    "domTreeExists": lambda topic: _boolean_text(topic.document is not None),
    "contentMime": lambda topic: topic.key.mime if topic.key is not None else "",
    "contentMimeExtended": lambda topic: topic.key.mime_extended if topic.key is not None else "",
    "stateStr": lambda topic: topic.state.value,
    "numSubscribers": lambda topic: len(topic.subscriptions),
    "exactSubscribersExist": lambda topic: _boolean_text(topic.exact > 0),
    "subscribers": lambda topic: joined(sorted({each.session.name.relative for each in topic.subscriptions.values()})),
    "numOfHistoryEntries": lambda topic: len(topic.history),
    "numOfCacheEntries": lambda topic: topic.history.in_memory,
    "destroyDelay": lambda topic: topic.config.destroy_delay,
}

SUBSCRIPTION_READERS: Readers = {
    "id": lambda subscription: subscription.id,
    "sessionName": lambda subscription: subscription.session.name.absolute,
    "topicId": lambda subscription: joined(topic.oid for topic in subscription.topics),
    "creationTimestamp": lambda subscription: _date(subscription.created),
    "query": lambda subscription: subscription.key.url,
    "persistent": lambda subscription: _boolean_text(subscription.persistent),
}


def subject_writers(broker: Broker) -> Writers:
    """What can be changed of a subject."""

    async def kill(subject: Subject, _: str) -> None:
        for session in list(subject.sessions.values()):
            await broker.registry.end(session, _killed())

    async def block(subject: Subject, value: str) -> None:
        subject.blocked = _boolean(value)
        broker.node.release_subject(subject)

    async def limit(subject: Subject, value: str) -> None:
        subject.max_sessions = _number(value, 1)

    return {"killClient": kill, "blockClientLogin": block, "maxSessions": limit}


def session_writers(broker: Broker) -> Writers:
    """What can be changed of a session."""

    async def activate(session: Session, value: str) -> None:
        session.dispatch.active = _boolean(value)

    async def kill(session: Session, _: str) -> None:
        await broker.registry.end(session, _killed())

    async def hang_up(session: Session, _: str) -> None:
        outbound = session.dispatch.outbound
        if outbound is not None:
            outbound.close("an administrator disconnected the client")

    async def clear(session: Session, _: str) -> None:
        while len(session.queue) > session.dispatch.in_flight:
            await session.queue.load()
            session.queue.settle(session.queue.take(-1, -1))

    async def timeout(session: Session, value: str) -> None:
        broker.registry.set_timeout(session, _number(value, -1))

    return {
        "dispatcherActive": activate,
        "killSession": kill,
        "disconnectClientKeepSession": hang_up,
        "clearCallbackQueue": clear,
        "sessionTimeout": timeout,
    }


def topic_writers(broker: Broker, eraser: Session) -> Writers:
    """What can be changed of a topic."""

    async def clear(topic: Topic, _: str) -> None:
        topic.history.clear()
        broker.node.check_topic(topic)

    async def erase(topic: Topic, _: str) -> None:
        broker.querying.erase_topic(topic, eraser)

    return {"clearHistoryQueue": clear, "eraseTopic": erase}


def subscription_writers(broker: Broker) -> Writers:
    """What can be changed of a subscription."""

    async def end(subscription: Subscription, _: str) -> None:
        broker.querying.drop(subscription)

    return {"unSubscribe": end}


def _killed() -> BrokerError:
    return BrokerError(Code.USER_NOT_CONNECTED, "an administrator ended the session")


def _date(milliseconds: int) -> str:
    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%d %H:%M:%S}Z"


def _boolean_text(value: bool) -> str:
    return "true" if value else "false"


def _boolean(value: str) -> bool:
    match value.strip().lower():
        case "true":
            return True
        case "false":
            return False
    raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, f"'{value}' is neither true nor false")


def _number(value: str, least: int) -> int:
    try:
        number = int(value)
    except ValueError:
        number = least - 1
    if number < least:
        raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, f"'{value}' is not a number of at least {least}")
    return number
