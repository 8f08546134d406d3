"""Administrative messages: ``get`` and ``publish`` on ``__cmd:…`` (spec xmlblaster §16.2, ``admin.messages``)."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, NoReturn

from twisted.internet.defer import Deferred

from broker.admin import remote_properties
from broker.admin.address import Command, Kind, parse
from broker.admin.attributes import AnyAttributes
from broker.admin.audit import ChangeAudit, named, shown
from broker.admin.entries import HistorySource, QueueSource, Source, fetch
from broker.admin.log_levels import change_level, read_level
from broker.admin.node import node_attributes
from broker.admin.options import ADMIN_MESSAGES
from broker.admin.permissions import Permissions
from broker.admin.property_book import PropertyBook
from broker.admin.queue_query import queue_query_of
from broker.admin.session import session_attributes
from broker.admin.subject import subject_attributes
from broker.admin.subscription import subscription_attributes
from broker.admin.topic import topic_attributes
from broker.admin.values import to_text
from broker.core.administration import Answer, Found, Told
from broker.core.broker import Broker
from broker.core.sessions import Session
from broker.core.subjects import Subject
from broker.errors import BrokerError, Code
from broker.logs.last import LastLines
from broker.logs.timed_levels import TimedLevels
from broker.model.key import COMMAND_PREFIX, REMOTE_PROPERTIES_OID
from broker.model.property import ClientProperty, find
from broker.model.qos import PublishQos, QueryQos

if TYPE_CHECKING:
    from broker.runlevels.service import RunLevels

ENTRIES = {
    Kind.CLIENT: ("subjectQueueEntries", "peekSubjectMessages"),
    Kind.SESSION: ("callbackQueueEntries", "peekCallbackMessages"),
    Kind.TOPIC: ("historyQueueEntries", "peekHistoryMessages"),
}
"""What is answered with the messages of a queue."""
SESSION_PROPERTY = "__sessionName"
PREFIX_PROPERTY = "__prefix"


class AdministrativeCommands:
    """Serves administrative messages (:class:`broker.core.administration.Commands`).

    Args:
        broker: the core.
        run_levels: of the broker.
        request_run_levels: goes to run levels, one after the other, once the answer is sent.
        book: the properties.
        version: of the program.
        last_lines: of its log.
        log_levels: of the log; ``None`` where it is not the broker's own.
    """

    def __init__(
        self,
        broker: Broker,
        run_levels: RunLevels,
        request_run_levels: Callable[[Sequence[int]], None],
        book: PropertyBook,
        version: str,
        last_lines: LastLines,
        log_levels: TimedLevels | None,
    ) -> None:
        self._log_levels = log_levels
        self._broker = broker
        self._node = broker.node
        self._book = book
        self._properties = properties = book.properties
        self._permissions = Permissions(broker)
        self._audit = ChangeAudit(broker)
        self._enabled = ADMIN_MESSAGES.get(properties)
        self._of_node = node_attributes(broker, run_levels, request_run_levels, properties, version, last_lines)

    async def get(self, session: Session, oid: str, qos: QueryQos) -> Answer:
        """Read an attribute, the messages of a queue, or the remote properties of a session.

        An operation that needs no argument is called; that needs an administrator, as calling it by ``publish`` does.

        Args:
            session: who asks.
            oid: ``__cmd:…`` or ``__sys__remoteProperties``.
            qos: of the request.

        Raises:
            BrokerError: ``user.illegalArgument`` for an unknown attribute, ``resource.admin.unavailable`` where
                administration is off, ``user.security.authorization.notAuthorized`` where it is not for this client.
        """
        if oid == REMOTE_PROPERTIES_OID:
            target = self._named_session(session, qos.properties, "")
            return Told(oid, properties=tuple(target.remote_properties.values()))
        command = self._parse(oid)
        if command.attribute in ENTRIES.get(command.kind, ()):
            return await self._entries(session, command, qos)
        if command.kind is Kind.PROPERTY:
            self._permissions.check_read(session, command)
            return self._told(command, self._property(command.attribute), prefix="")
        if command.kind is Kind.LOGGING:
            self._permissions.check_read(session, command)
            return self._told(command, read_level(self._log_levels, command.attribute))
        attributes = self._attributes(command, session)
        if command.attribute in attributes.operations:
            argument = command.value or ""
            async with self._audit.change(session, *named(command), parameters=shown(command.attribute, argument)):
                self._permissions.check_change(session, command)
                return self._told(command, await self._call(command, attributes, argument))
        self._permissions.check_read(session, command)
        reader = attributes.readers.get(command.attribute)
        if reader is None:
            self._refuse_unknown(command, attributes.readable)
        value = reader(self._target(command))
        return self._told(command, await value if isinstance(value, Awaitable) else value)

    async def set(self, session: Session, oid: str, content: bytes, qos: PublishQos) -> str:
        """Change an attribute, call an operation, or change the remote properties of a session.

        Args:
            session: who asks.
            oid: ``__cmd:…=value``; without ``=`` the content is the value. Or ``__sys__remoteProperties``, with
                ``set``, ``merge`` or ``clear`` as content.
            content: of the message.
            qos: of the message.

        Returns:
            The absolute form of the command with its value, or the session whose properties changed.

        Raises:
            BrokerError: as :meth:`get`.
        """
        text = content.decode("utf-8", "replace")
        if oid == REMOTE_PROPERTIES_OID:
            async with self._audit.change(session, "remoteProperties", parameters=text.strip()):
                return self._change_remote_properties(session, text.strip(), qos)
        command = self._parse(oid)
        value = text if command.value is None else command.value
        async with self._audit.change(session, *named(command), parameters=shown(command.attribute, value)):
            self._permissions.check_change(session, command)
            await self._change(session, command, value)
        return f"{command.address(self._node.id)}={value}"

    async def _change(self, session: Session, command: Command, value: str) -> None:
        if command.kind is Kind.PROPERTY:
            self._book.set(command.attribute, value, f"{session.subject.name} by __cmd")
            return
        if command.kind is Kind.LOGGING:
            change_level(self._log_levels, command.attribute, value)
            return
        attributes = self._attributes(command, session)
        writer = attributes.writers.get(command.attribute)
        if writer is not None:
            writer(self._target(command), value)
        elif command.attribute in attributes.operations:
            await self._call(command, attributes, value)
        else:
            self._refuse_unknown(command, attributes.changeable)

    async def _call(self, command: Command, attributes: AnyAttributes, argument: str) -> object:
        return await attributes.operations[command.attribute](self._target(command), argument)

    async def _entries(self, session: Session, command: Command, qos: QueryQos) -> Found | Deferred[Found]:
        query = queue_query_of(command.value, qos)
        told = self._audit.change(session, *named(command), parameters=command.value or "")
        async with told if query.consumable else nullcontext():
            self._permissions.check_entries(session, command, consumable=query.consumable)
        source = self._source(session, command, qos)

        async def found() -> Found:
            return [(message, qos.content) for message in await fetch(source, query, self._node.clock)]

        if query.waiting and source.available() < query.entries:
            return Deferred.fromCoroutine(found())
        return await found()

    def _source(self, session: Session, command: Command, qos: QueryQos) -> Source:
        node = self._node
        target = self._target(command)
        match command.kind:
            case Kind.CLIENT:
                return QueueSource(node, target.queue, lambda: 0, lambda: node.release_subject(target))
            case Kind.SESSION:
                return QueueSource(node, target.queue, lambda: target.dispatch.in_flight, lambda: None)
        return HistorySource(self._broker, session, target, newest_first=qos.newest_first)

    def _change_remote_properties(self, session: Session, action: str, qos: PublishQos) -> str:
        destination = qos.destinations[0].name if qos.destinations else ""
        target = self._named_session(session, qos.properties, destination)
        prefix = find(qos.properties, PREFIX_PROPERTY)
        given = [each for each in qos.properties if each.name not in (SESSION_PROPERTY, PREFIX_PROPERTY)]
        remote_properties.change(target, action, given, prefix.text if prefix is not None else "")
        self._node.events.of_session(target.name.subject, target.name.public_id, "remoteProperties", action=action)
        return target.name.absolute

    def _named_session(self, session: Session, properties: Sequence[ClientProperty], destination: str) -> Session:
        """The session that remote properties are about: the client's own, or another that it may administer."""
        named = find(properties, SESSION_PROPERTY)
        text = named.text if named is not None else destination
        if not text:
            return session
        name = self._node.session_name(text)
        if name.subject != session.name.subject:
            self._permissions.check_administrator(session, name)
        subject = self._node.subjects.get(name.subject)
        found = subject.sessions.get(name.public_id) if subject is not None else None
        if found is None:
            raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, f"there is no session '{name.relative[:200]}'")
        return found

    def _parse(self, oid: str) -> Command:
        if not self._enabled:
            raise BrokerError(
                Code.RESOURCE_ADMIN_UNAVAILABLE, f"administration is switched off (property {ADMIN_MESSAGES.name})"
            )
        return parse(oid, self._node.id)

    def _attributes(self, command: Command, session: Session) -> AnyAttributes:
        match command.kind:
            case Kind.NODE:
                return self._of_node
            case Kind.CLIENT:
                return subject_attributes(self._broker, session)
            case Kind.SESSION:
                return session_attributes(self._broker, session)
            case Kind.TOPIC:
                return topic_attributes(self._broker, session)
            case Kind.SUBSCRIPTION:
                return subscription_attributes(self._broker, session)
        raise AssertionError(command.kind)  # the others have no attributes, and are served before

    def _target(self, command: Command) -> Any:
        node = self._node
        subject: Subject | None = node.subjects.get(command.name)
        found: object = None
        match command.kind:
            case Kind.NODE:
                found = node
            case Kind.CLIENT:
                found = subject
            case Kind.SESSION:
                found = subject.sessions.get(command.number) if subject is not None else None
            case Kind.TOPIC:
                found = node.topics.get(command.name)
            case Kind.SUBSCRIPTION:
                found = node.subscriptions.get(command.name)
        if found is None:
            raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, f"there is no {command.context.strip('/')[:200]}")
        return found

    def _told(self, command: Command, value: object, prefix: str = COMMAND_PREFIX) -> Told:
        return Told(f"{prefix}{command.address(self._node.id)}", to_text(value).encode())

    def _property(self, name: str) -> str:
        if name == "user.home":
            return os.path.expanduser("~")
        return shown(name, self._properties.text(name) or "")

    def _refuse_unknown(self, command: Command, known: Sequence[str]) -> NoReturn:
        raise BrokerError(
            Code.USER_ILLEGAL_ARGUMENT,
            f"'{command.attribute[:64]}' is not known of a {command.kind} for this; known are {', '.join(known)}",
            command.address(self._node.id)[:200],
        )
