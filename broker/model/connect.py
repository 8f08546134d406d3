"""Quality of service of a connect and of its answer (spec xmlblaster §4.1, §4.2)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from broker.model.property import ClientProperty
from broker.model.qos import QueueQos


@dataclass(frozen=True, slots=True)
class Credentials:
    """The ``<securityService>`` of a connect.

    Args:
        type: name of the authentication plugin.
        version: of that plugin.
        user: login name.
        password: as given; it appears in no answer, log or record.
    """

    type: str
    user: str
    password: str = field(default="", repr=False)
    version: str = "1.0"


@dataclass(frozen=True, slots=True)
class SessionQos:
    """The ``<session>`` element; ``None`` where the client left the choice to the configuration.

    Args:
        name: any accepted spelling; empty for the login name itself.
        timeout: milliseconds without a request until the session ends; ``<= 0`` never.
        max_sessions: sessions that the subject may have.
        clear_sessions: end the subject's other sessions first.
        reconnect_same_client_only: refuse another client instance.
        secret_id: the secret session id, in a request to reconnect, in an answer the one given.
    """

    name: str = ""
    timeout: int | None = None
    max_sessions: int | None = None
    clear_sessions: bool | None = None
    reconnect_same_client_only: bool | None = None
    secret_id: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class AddressQos:
    """An ``<address>`` or ``<callback>``: how a peer is reached and how deliveries to it behave. Times in ms.

    ``None`` means not given. The defaults of spec §4.1 are applied where the value is used.

    Args:
        type: protocol plugin id, ``SOCKET`` by default.
        raw: the address text, e.g. ``socket://127.0.0.1:8100``.
        session_id: passed back with every update, so that the client can tell its server.
        ping_interval: between pings while alive; ``<= 0`` off.
        retries: failed attempts until the receiver is given up; ``-1`` never.
        delay: between attempts.
        oneway: deliver everything without acknowledgement.
        dispatcher_active: ``False`` starts with delivery suspended.
        use_for_subject_queue: take messages that are addressed to the subject.
        burst_entries: messages in one update; ``-1`` all of the highest priority.
        burst_bytes: bytes in one update; ``-1`` unlimited.
        collect_time: wait this long to gather more before an update.
        attributes: free settings, forwarded unchanged.
    """

    type: str = "SOCKET"
    raw: str = ""
    version: str | None = None
    bootstrap_host: str | None = None
    bootstrap_port: int | None = None
    session_id: str | None = None
    ping_interval: int | None = None
    retries: int | None = None
    delay: int | None = None
    oneway: bool | None = None
    dispatcher_active: bool | None = None
    use_for_subject_queue: bool | None = None
    dispatch_plugin: str | None = None
    stall_on_ping_timeout: bool | None = None
    burst_entries: int | None = None
    burst_bytes: int | None = None
    collect_time: int | None = None
    compress_type: str | None = None
    compress_min_size: int | None = None
    ptp: bool | None = None
    attributes: tuple[ClientProperty, ...] = ()


@dataclass(frozen=True, slots=True)
class ConnectQos:
    """A connect request, and with the fields that the broker fills in, its answer.

    Args:
        credentials: who asks; ``None`` where no ``<securityService>`` was given.
        session: the session wanted or given.
        ptp: whether point-to-point messages are accepted.
        cluster_node: a broker-to-broker login.
        duplicate_updates: ``False`` delivers a message once even where several subscriptions match.
        refresh_session: deliveries also keep the session from timing out.
        instance_id: identity of the client process, in the answer of the broker.
        persistent: the session survives a crash.
        reconnected: answer only: an existing session was taken up again.
        queues: ``(QueueQos, addresses)`` in the order given; ``relating`` tells which.
        server_refs: ``(type, address)`` pairs.
        properties: client properties.
    """

    credentials: Credentials | None = None
    session: SessionQos = SessionQos()
    ptp: bool = True
    cluster_node: bool = False
    refresh_session: bool = False
    duplicate_updates: bool = True
    instance_id: str = ""
    persistent: bool = False
    reconnected: bool = False
    queues: tuple[tuple[QueueQos, tuple[AddressQos, ...]], ...] = ()
    server_refs: tuple[tuple[str, str], ...] = ()
    properties: tuple[ClientProperty, ...] = ()

    def queue(self, relating: str) -> QueueQos | None:
        """The settings of the queue of that kind, if given."""
        for queue, _ in self.queues:
            if queue.relating == relating:
                return queue
        return None

    def with_queue(self, queue: QueueQos) -> ConnectQos:
        """The same with other settings of the queue of that kind."""
        kept = [(known, addresses) for known, addresses in self.queues if known.relating != queue.relating]
        addresses = next((found for known, found in self.queues if known.relating == queue.relating), ())
        return replace(self, queues=(*kept, (queue, addresses)))

    @property
    def callback(self) -> AddressQos | None:
        """The callback address, if the client can be called back."""
        for queue, addresses in self.queues:
            if queue.relating == "callback" and addresses:
                return addresses[0]
        return None
