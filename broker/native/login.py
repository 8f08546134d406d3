"""Logins of native clients: who may have which session, and the answer (spec xmlblaster §2.1, §2.2, §4.2)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache

from broker.core.broker import Broker
from broker.core.delivery import check_address, check_callback
from broker.core.sessions import Session
from broker.core.settings import told
from broker.errors import BrokerError, Code
from broker.model.connect import ConnectQos, Credentials, SessionQos
from broker.model.property import ClientProperty, check_properties, property_of
from broker.model.qos import DisconnectQos
from broker.native.sessions import NativeSessions

CONTEXT_ATTRIBUTE = "__ContextNode"


@dataclass(frozen=True, slots=True)
class Connected:
    """The outcome of a connect.

    Args:
        session: found or made.
        qos: the answer; its secret session id is the session's.
        reconnected: the session existed before.
    """

    session: Session
    qos: ConnectQos
    reconnected: bool


class NativeLogin:
    """Logs native clients in and out.

    Args:
        broker: the core.
        sessions: of native clients.
    """

    def __init__(self, broker: Broker, sessions: NativeSessions) -> None:
        self.sessions = sessions
        self._broker = broker
        self._node = broker.node

    async def connect(self, qos: ConnectQos, host: str) -> Connected:
        """Log a client in (spec §2.1).

        Args:
            qos: the request.
            host: address of the peer.

        Raises:
            BrokerError: see spec §2.1, §24 fact 13.
        """
        broker = self._broker
        broker.check_accepting()
        _check_connect(qos)
        sessions, secret_id = self._node.sessions, qos.session.secret_id
        known = sessions.get(secret_id) if secret_id else None
        if known is not None:  # its account may be no more, or have another password
            await broker.account_changes.apply()
            known = sessions.get(secret_id)
        user = ""
        if known is None or known.kind is not self.sessions:
            user = await self._authenticated(qos, host)
        session, reconnected = await self.sessions.connect(user, replace(qos, credentials=None))
        return Connected(session, self._answer(session, qos, reconnected), reconnected)

    async def _authenticated(self, qos: ConnectQos, host: str) -> str:
        """The login name that a client has shown to be its own, and may log in under."""
        broker = self._broker
        admitted = False
        while not admitted:
            since = broker.account_changes.seen
            await broker.authenticate(qos.credentials, host)
            assert qos.credentials is not None
            user = await self._acting_as(qos.credentials, qos.session.name, host)
            admitted = await broker.admit(user, since)
        return user

    async def _acting_as(self, credentials: Credentials, session_name: str, host: str) -> str:
        """The login name whose session a client gets: its own, or the one that it names the session by.

        A session of another name is given to those only who might have logged in under that name with the same
        password: everybody where passwords are not checked, as with ``secretfile=NONE`` (spec §24; xmlBlaster looks at
        the login name alone).

        Args:
            credentials: that were checked.
            session_name: that is wanted; empty for none.
            host: address of the peer.

        Raises:
            BrokerError: ``user.security.authentication.accessDenied``; ``user.illegalArgument`` for no session name.
        """
        user = self._node.session_name(credentials.user).subject  # as it was read by those who checked the password
        wanted = self._node.session_name(session_name).subject if session_name else user
        if wanted != user:
            try:
                await self._broker.authenticate(replace(credentials, user=wanted), host)
            except BrokerError as error:
                if error.code != Code.USER_ACCESS_DENIED:
                    raise
                denied = f"{user} may not use the session name '{session_name}'"
                raise BrokerError(Code.USER_ACCESS_DENIED, denied) from error
        return wanted

    async def disconnect(self, session: Session, qos: DisconnectQos) -> None:
        """Log a client out (spec §2.2)."""
        check_properties(qos.properties)
        await self.sessions.disconnect(
            session, clear_sessions=qos.clear_sessions, delete_subject_queue=qos.delete_subject_queue
        )

    def session(self, secret_id: str) -> Session:
        """The session that a secret id speaks for.

        Raises:
            BrokerError: ``user.security.authentication.accessDenied``.
        """
        session = self._node.sessions.get(secret_id)
        if session is None or session.kind is not self.sessions:
            raise BrokerError(Code.USER_ACCESS_DENIED, "the secret session id is not known")
        session.seen = self._node.monotonic()
        return session

    def _answer(self, session: Session, qos: ConnectQos, reconnected: bool) -> ConnectQos:
        """The connect answer: the request as it was understood, with what the broker decided (spec §4.2)."""
        node = self._node
        properties = [
            *qos.properties,
            ClientProperty("__cbQueueNumOfEntries", str(len(session.queue)), "long"),
            ClientProperty("__rcvTimestampStr", _stamp(node.seconds())),
        ]
        if session.why_transient:
            properties.append(property_of("__persistenceRefused", session.why_transient))
        settings = node.settings
        given = qos.session
        answered = SessionQos(
            name=session.name.absolute,
            timeout=session.timeout,
            max_sessions=session.subject.max_sessions,
            clear_sessions=settings.clear_sessions if given.clear_sessions is None else given.clear_sessions,
            reconnect_same_client_only=(
                settings.reconnect_same_client_only
                if given.reconnect_same_client_only is None
                else given.reconnect_same_client_only
            ),
            secret_id=session.secret_id,
        )
        context = ClientProperty(CONTEXT_ATTRIBUTE, f"/xmlBlaster/node/{node.id}/{session.name.marked}", "String")
        limits = {"callback": session.queue.limits, "subject": session.subject.queue.limits}
        queues = tuple(
            (
                told(queue, limits[queue.relating]) if queue.relating in limits else queue,
                tuple(replace(each, attributes=(*each.attributes, context)) for each in addresses)
                if queue.relating == "callback" and not reconnected
                else addresses,
            )
            for queue, addresses in qos.queues
        )
        return replace(
            qos,
            session=answered,
            instance_id=self._broker.instance_id,
            reconnected=reconnected,
            persistent=session.persistent,
            queues=queues,
            properties=tuple(properties),
        )


def _stamp(now: float) -> str:
    """A time as clients of the native protocol are told it."""
    return f"{_written(int(now))}.{int(now % 1 * 1000)}Z"


@lru_cache(1)
def _written(second: int) -> str:
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%d %H:%M:%S}"


def _check_connect(qos: ConnectQos) -> None:
    """Refuse what cannot be served, before anything of it has an effect.

    Raises:
        BrokerError: ``user.illegalArgument``; ``resource.configuration.pluginFailed`` for a dispatch plugin.
    """
    most = qos.session.max_sessions
    if most is not None and most < 1:  # no number means without a limit: that would lift the administrator's own
        raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, f"maxSessions: {most} is not a number of at least 1")
    check_properties(qos.properties)
    for queue, addresses in qos.queues:
        for address in addresses:
            check_address(address)
            if queue.relating == "callback":  # what the client does with its own requests is its affair
                check_callback(address)
