"""Administrative messages: ``get`` and ``publish`` on ``__cmd:…`` (spec xmlblaster §16.2, ``admin.messages``)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from broker.admin.address import CLIENT, LOGGING, NODE, PROPERTY, SESSION, TOPIC, Command, parse
from broker.admin.attributes import (
    SESSION_READERS,
    SUBJECT_READERS,
    SUBSCRIPTION_READERS,
    TOPIC_READERS,
    Readers,
    Writers,
    node_readers,
    session_writers,
    subject_writers,
    subscription_writers,
    topic_writers,
)
from broker.admin.options import ADMIN_MESSAGES, ADMIN_USERS
from broker.config.properties import Properties
from broker.core.broker import Broker
from broker.core.sessions import Session
from broker.errors import BrokerError, Code
from broker.model.key import COMMAND_PREFIX, REMOTE_PROPERTIES_OID
from broker.model.property import ClientProperty, find
from broker.model.qos import PublishQos

OWN_WRITES = {"dispatcherActive"}
"""What everybody may change of their own sessions."""
HARMLESS_PROPERTIES = {"user.home", "cluster.node.id"}
"""What everybody may read of the configuration, which may hold secrets."""
CONTROL_PROPERTIES = {"__sessionName", "__prefix"}
MOST_REMOTE_PROPERTIES = 1000


class Commands:
    """Serves administrative messages.

    Reading numbers of the node, and one's own sessions, is open to every client unless administrators are named; all
    else, and every change, needs an administrator (property ``admin.users``).

    Args:
        application: has ``broker``, ``run_levels``, ``properties`` and ``change_run_level``.
        version: of the program.
    """

    def __init__(self, application: Any, version: str) -> None:
        self._application = application
        self._broker: Broker = application.broker
        self._properties: Properties = application.properties
        names = ADMIN_USERS.get(self._properties).split(",")
        self._administrators = frozenset(name.strip() for name in names if name.strip())
        self._enabled = ADMIN_MESSAGES.get(self._properties)
        self._node_readers = node_readers(self._broker, version, application.run_levels)

    async def get(self, session: Session, oid: str) -> tuple[str, bytes]:
        """Read an attribute.

        Args:
            session: who asks.
            oid: ``__cmd:…``.

        Returns:
            The absolute form of the oid, and the value.

        Raises:
            BrokerError: ``user.illegalArgument`` for an unknown one, ``user.security.authorization.notAuthorized``,
                ``resource.admin.unavailable``.
        """
        command = self._parse(oid)
        if not self._is_administrator(session) and (self._administrators or not self._is_harmless(command, session)):
            raise self._forbidden(session, command)
        value = self._read(command)
        prefix = "" if command.kind == PROPERTY else COMMAND_PREFIX
        return f"{prefix}{command.address(self._broker.node.id)}", str(value).encode()

    def remote_properties(self, session: Session) -> tuple[ClientProperty, ...]:
        """The remote properties of a session, for ``get`` on ``__sys__remoteProperties`` (spec §8.7)."""
        return tuple(session.remote_properties.values())

    async def set(self, session: Session, oid: str, content: bytes, qos: PublishQos) -> str:
        """Change an attribute, or call what it names.

        Args:
            session: who asks.
            oid: ``__cmd:…=value``; without ``=`` the content is the value.
            content: of the message.
            qos: of the message.

        Returns:
            The absolute form of the command, for the info of the answer.
        """
        if oid == REMOTE_PROPERTIES_OID:
            return self._set_remote_properties(session, content.decode("utf-8", "replace").strip(), qos)
        command = self._parse(oid)
        value = command.value if command.value is not None else content.decode("utf-8", "replace")
        own = command.kind == SESSION and command.name == session.name.subject and command.attribute in OWN_WRITES
        if not own and not self._is_administrator(session):
            raise self._forbidden(session, command)
        await self._write(command, value, session)
        return f"{command.address(self._broker.node.id)}={value}"

    def _set_remote_properties(self, session: Session, action: str, qos: PublishQos) -> str:
        named = find(qos.properties, "__sessionName")
        target = session
        if named is not None:
            name = self._broker.node.session_name(named.text)
            subject = self._broker.node.subjects.get(name.subject)
            found = subject.sessions.get(name.public_id) if subject is not None else None
            if found is None:
                raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, f"there is no session '{named.text}'")
            target = found
        if target.name.subject != session.name.subject and not self._is_administrator(session):
            raise BrokerError(Code.USER_NOT_AUTHORIZED, "remote properties of others are for administrators")
        given = {each.name: each for each in qos.properties if each.name not in CONTROL_PROPERTIES}
        prefix = find(qos.properties, "__prefix")
        match action:
            case "" | "merge":
                target.remote_properties = {**target.remote_properties, **given}
            case "set":
                target.remote_properties = given
            case "clear":
                start = prefix.text if prefix is not None else ""
                kept = {
                    name: each
                    for name, each in target.remote_properties.items()
                    if start and not name.startswith(start)
                }
                target.remote_properties = kept
            case _:
                raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, f"'{action}' is neither merge, set nor clear")
        if len(target.remote_properties) > MOST_REMOTE_PROPERTIES:
            target.remote_properties = dict(list(target.remote_properties.items())[-MOST_REMOTE_PROPERTIES:])
        return target.name.absolute

    def _parse(self, oid: str) -> Command:
        if not self._enabled:
            raise BrokerError(
                Code.RESOURCE_ADMIN_UNAVAILABLE, "administrative messages are switched off (admin.messages)"
            )
        return parse(oid, self._broker.node.id)

    def _is_administrator(self, session: Session) -> bool:
        return session.name.subject in self._administrators

    def _is_harmless(self, command: Command, session: Session) -> bool:
        if command.kind == PROPERTY:
            return command.attribute in HARMLESS_PROPERTIES
        return command.kind in (NODE, TOPIC) or command.name == session.name.subject

    def _forbidden(self, session: Session, command: Command) -> BrokerError:
        return BrokerError(
            Code.USER_NOT_AUTHORIZED,
            f"{session.name.subject} may not use '{command.attribute}': the property {ADMIN_USERS.name} names who may",
            command.address(self._broker.node.id),
        )

    def _read(self, command: Command) -> object:
        if command.kind == PROPERTY:
            return self._property(command.attribute)
        if command.kind == LOGGING:
            raise BrokerError(Code.INTERNAL_NOT_IMPLEMENTED, "log levels can not be changed while the broker runs")
        target, readers = self._target(command)
        if command.kind == CLIENT and command.attribute == "uptime":
            return (self._broker.node.now() - target.created) // 1000
        if command.kind == SESSION and command.attribute == "uptime":
            return (self._broker.node.now() - target.created) // 1000
        reader = readers.get(command.attribute)
        if reader is None:
            raise self._unknown(command, readers)
        return reader(target)

    async def _write(self, command: Command, value: str, session: Session) -> None:
        if command.kind == NODE and command.attribute == "runlevel":
            steps = [int(each) if each.strip().isdigit() else -1 for each in value.split(",")]
            self._application.request_run_levels(steps)
            return
        target, _ = self._target(command)
        writers = self._writers(command, session)
        writer = writers.get(command.attribute)
        if writer is None:
            raise self._unknown(command, writers)
        await writer(target, value)

    def _target(self, command: Command) -> tuple[Any, Readers]:
        node = self._broker.node
        found: Any = None
        match command.kind:
            case "node":
                return node, self._node_readers
            case "client":
                found, readers = node.subjects.get(command.name), SUBJECT_READERS
            case "session":
                subject = node.subjects.get(command.name)
                found, readers = subject.sessions.get(command.number) if subject else None, SESSION_READERS
            case "topic":
                found, readers = node.topics.get(command.name), TOPIC_READERS
            case _:
                found, readers = node.subscriptions.get(command.name), SUBSCRIPTION_READERS
        if found is None:
            raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, f"there is no {command.context.strip('/')}")
        return found, readers

    def _writers(self, command: Command, session: Session) -> Writers:
        match command.kind:
            case "client":
                return subject_writers(self._broker)
            case "session":
                return session_writers(self._broker)
            case "topic":
                return topic_writers(self._broker, session)
            case "subscription":
                return subscription_writers(self._broker)
        return {}

    def _property(self, name: str) -> str:
        value = self._properties.text(name)
        if value is not None:
            return value
        return {"user.home": os.path.expanduser("~")}.get(name, "")

    def _unknown(self, command: Command, known: Mapping[str, object]) -> BrokerError:
        return BrokerError(
            Code.USER_ILLEGAL_ARGUMENT,
            f"'{command.attribute}' is not an attribute of a {command.kind}; known are {', '.join(sorted(known))}",
            command.address(self._broker.node.id),
        )
