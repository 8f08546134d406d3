"""Attributes of a session (spec xmlblaster §16.1)."""

from __future__ import annotations

from dataclasses import replace

from broker.admin import dump, remote_properties
from broker.admin.attributes import Attributes
from broker.admin.entries import take
from broker.admin.subject import ended_by_administrator
from broker.admin.subscription import end_at
from broker.admin.values import date, to_boolean, to_number
from broker.core.broker import Broker
from broker.core.dispatch import ConnectionState
from broker.core.sessions import Session
from broker.errors import BrokerError, Code
from broker.model.property import ClientProperty, property_of
from broker.native.codec import parse_query_url, read_query_qos, write_connect_qos

OWN = frozenset({"dispatcherActive"})
"""What everybody may change of their own sessions."""


def session_attributes(broker: Broker, administrator: Session) -> Attributes[Session]:
    """The attributes of a session.

    Args:
        broker: the core.
        administrator: who asks.
    """
    node, control = broker.node, broker.control

    def activate(session: Session, value: str) -> None:
        control.set_active(administrator, session, to_boolean(value))

    def limit_time(session: Session, value: str) -> None:
        control.set_timeout(administrator, session, to_number(value, -1))

    def accept_wrong_sender(session: Session, value: str) -> None:
        control.set_accepts_wrong_sender(administrator, session, to_boolean(value))

    async def kill(session: Session, argument: str) -> None:
        await broker.end_session(administrator, session, ended_by_administrator())

    async def disconnect(session: Session, argument: str) -> None:
        control.disconnect(administrator, session)

    async def refresh(session: Session, argument: str) -> None:
        broker.registry.note_request(session)

    async def clear_queue(session: Session, argument: str) -> int:
        return len(await take(node, session.queue, len(session.queue)))

    async def remove(session: Session, argument: str) -> int:
        return len(await take(node, session.queue, to_number(argument or "1", 0)))

    async def forget_error(session: Session, argument: str) -> None:
        session.dispatch.last_error = None

    async def unsubscribe(session: Session, argument: str) -> int:
        ended = [each for each in session.subscriptions.values() if argument in (each.id, each.key.url, each.key.oid)]
        return broker.end_subscriptions(administrator, ended)

    async def unsubscribe_by_index(session: Session, argument: str) -> str:
        return end_at(broker, administrator, session.subscriptions.values(), argument)

    async def subscribe(session: Session, argument: str) -> str:
        url, _, qos = argument.partition("&")
        return (await broker.subscribe(session, parse_query_url(url), read_query_qos(qos.encode()))).id

    def block(session: Session, value: str) -> None:
        control.block_session(administrator, session, to_boolean(value))

    async def deliver(session: Session, argument: str) -> None:
        session.dispatch.wake()

    def since(session: Session, state: ConnectionState) -> str | None:
        return date(session.dispatch.since) if session.dispatch.state is state else None

    async def add_property(session: Session, argument: str) -> None:
        name, separator, value = argument.partition("&")
        if not separator or not name:
            raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, "addRemoteProperty needs 'name&value'")
        remote_properties.change(session, remote_properties.MERGE, [property_of(name, value)])

    async def clear_properties(session: Session, argument: str) -> None:
        remote_properties.change(session, remote_properties.CLEAR, [])

    async def clear_some_properties(session: Session, argument: str) -> None:
        if not argument:
            raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, "clearRemotePropertiesStartingWith needs a prefix")
        remote_properties.change(session, remote_properties.CLEAR, [], argument)

    return Attributes(
        readers={
            "id": lambda session: session.name.absolute,
            "loginName": lambda session: session.name.subject,
            "publicSessionId": lambda session: session.name.public_id,
            "qos": _qos,
            "uptime": lambda session: (node.now() - session.created) // 1000,
            "loginDate": lambda session: date(session.logged_in),
            "sessionTimeout": lambda session: session.timeout,
            "sessionTimeoutExpireDate": lambda session: (
                date(node.seen_at(session) + session.timeout) if session.timeout > 0 else None
            ),
            "connectionState": lambda session: session.dispatch.state.value,
            "aliveSinceDate": lambda session: since(session, ConnectionState.ALIVE),
            "pollingSinceDate": lambda session: since(session, ConnectionState.POLLING),
            "callbackConfigured": lambda session: session.can_receive,
            "dispatcherActive": lambda session: session.dispatch.active,
            "stalled": lambda session: session.dispatch.stalled,
            "persistent": lambda session: session.persistent,
            "acceptWrongSenderAddress": lambda session: session.accept_wrong_sender,
            "lastCallbackException": lambda session: str(session.dispatch.last_error or ""),
            "numCallbackExceptions": lambda session: session.dispatch.errors,
            "blockClientSessionLogin": lambda session: session.blocked,
            "ptp": lambda session: session.qos.ptp,
            "clusterNode": lambda session: session.qos.cluster_node,
            "duplicateUpdates": lambda session: session.qos.duplicate_updates,
            "instanceId": lambda session: session.qos.instance_id,
            "maxSessions": lambda session: session.subject.max_sessions,
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
            "numUpdate": lambda session: session.counters.updates,
            "numUpdateOneway": lambda session: session.counters.oneway_updates,
            "subscriptionList": lambda session: session.subscriptions,
            "subscriptions": lambda session: session.subscriptions,
            "rootSubscriptions": lambda session: session.subscriptions,
            "subscriptionDump": dump.of_subscriptions,
            "subscribedTopics": lambda session: sorted(
                {topic.oid for each in session.subscriptions.values() for topic in each.topics}
            ),
            "remoteProperties": lambda session: [_pair(each) for each in session.remote_properties.values()],
        },
        writers={
            "dispatcherActive": activate,
            "sessionTimeout": limit_time,
            "acceptWrongSenderAddress": accept_wrong_sender,
            "blockClientSessionLogin": block,
        },
        operations={
            "killSession": kill,
            "killSessionNoThrow": kill,
            "disconnectClientKeepSession": disconnect,
            "refreshSession": refresh,
            "clearCallbackQueue": clear_queue,
            "removeFromCallbackQueue": remove,
            "clearLastCallbackException": forget_error,
            "subscribe": subscribe,
            "unSubscribe": unsubscribe,
            "unSubscribeByIndex": unsubscribe_by_index,
            "reactivateDispatcherThread": deliver,
            "addRemoteProperty": add_property,
            "clearRemoteProperties": clear_properties,
            "clearRemotePropertiesStartingWith": clear_some_properties,
        },
    )


def _qos(session: Session) -> str:
    """The connect QoS without anything that would let its reader act as the client (design D13)."""
    qos = replace(session.qos, credentials=None, session=replace(session.qos.session, secret_id=""))
    return write_connect_qos(qos, redact=True).decode()


def _pair(given: ClientProperty) -> str:
    return f"{given.name}={given.text}"
