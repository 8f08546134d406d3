"""What a client may ask for, in few words; the XML of the protocol is made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from broker.errors import BrokerError, Code
from broker.model.connect import AddressQos, ConnectQos, Credentials, SessionQos
from broker.model.key import DEFAULT_MIME, Filter, Key, QueryKey, QueryKind
from broker.model.property import property_of
from broker.model.qos import FOREVER, NORMAL_PRIORITY, Destination, PublishQos, QueryQos, QueueQos
from broker.model.text import is_xml_text
from broker.native.codec import write_key, write_publish_qos
from broker.native.wire.frames import encode_unit

MAX_SHOWN = 64
"""Characters of a text that an error shows."""
PropertyValue = str | bytes | bool | int | float


@dataclass(frozen=True, slots=True)
class ConnectOptions:
    """Who connects, and how the session behaves. Times in seconds.

    Args:
        user: login name.
        password: of the account.
        session: public session number above 0 to come back to; 0 for a new session each time.
        persistent: the session survives a crash of the broker; needs ``session``.
        callbacks: whether updates can be received.
        burst: messages in one update, -1 all that wait. They are acknowledged together, when the last is done: the
            broker delivers all of them again to a program that ends before.
        timeout: of the session without requests; 0 never, ``None`` as the broker has it.
        max_sessions: of the login name; ``None`` as the broker has it.
        queue_entries: messages that the broker queues for the session; ``None`` as the broker has it.
        security: name of the security service.
    """

    user: str
    password: str = field(default="", repr=False)
    session: int = 0
    persistent: bool = False
    callbacks: bool = True
    burst: int = 1
    timeout: float | None = None
    max_sessions: int | None = None
    queue_entries: int | None = None
    security: str = "htpasswd"

    def qos(self, secret_id: str = "", instance_id: str = "") -> ConnectQos:
        """The connect QoS.

        Args:
            secret_id: of the session to go on with.
            instance_id: identity of this client process.

        Raises:
            BrokerError: ``user.illegalArgument`` for a text that XML cannot express.
        """
        _check(user=self.user, security=self.security)
        name = f"{self.user}/{self.session}" if self.session else self.user
        callback = AddressQos(
            raw="socket://client",
            retries=-1 if self.session else 0,
            ping_interval=60_000,
            burst_entries=self.burst,
        )
        queues = ((QueueQos("callback", max_entries=self.queue_entries), (callback,)),) if self.callbacks else ()
        return ConnectQos(
            credentials=Credentials(self.security, self.user, self.password),
            session=SessionQos(
                name=name,
                timeout=None if self.timeout is None else int(self.timeout * 1000),
                max_sessions=self.max_sessions,
                secret_id=secret_id,
            ),
            persistent=self.persistent,
            instance_id=instance_id,
            queues=queues,
        )


@dataclass(frozen=True, slots=True)
class PublishOptions:
    """How a message is delivered.

    Args:
        mime: type of the content.
        persistent: it survives a crash.
        priority: 0 to 9.
        life_time: seconds until it expires, ``None`` never, 0 for those who listen now only.
        properties: client properties.
        to: receivers (``joe`` or ``joe/1``) of a point-to-point message.
        force: queue it for receivers that are unknown or away.
        subscribable: subscribers of the topic see a point-to-point message, too.
        domain: of the topic.
    """

    mime: str = DEFAULT_MIME
    persistent: bool = False
    priority: int = NORMAL_PRIORITY
    life_time: float | None = None
    properties: Mapping[str, PropertyValue] = field(default_factory=dict)
    to: tuple[str, ...] = ()
    force: bool = False
    subscribable: bool = True
    domain: str = ""

    def key(self, oid: str) -> Key:
        """The key.

        Raises:
            BrokerError: ``user.illegalArgument`` for a text that XML cannot express; so for all methods here.
        """
        _check(oid=oid, mime=self.mime, domain=self.domain)
        return Key(oid, mime=self.mime, domain=self.domain)

    def qos(self) -> PublishQos:
        """The QoS."""
        for name in self.to:
            _check(receiver=name)
        for name in self.properties:
            _check(property=name)
        return PublishQos(
            priority=self.priority,
            subscribable=self.subscribable,
            destinations=tuple(Destination(name, force_queuing=self.force) for name in self.to),
            life_time=FOREVER if self.life_time is None else int(self.life_time * 1000),
            persistent=self.persistent,
            properties=tuple(property_of(name, value) for name, value in self.properties.items()),
        )


@dataclass(frozen=True, slots=True)
class SubscribeOptions:
    """What a subscription delivers.

    Args:
        filters: ``(type, text)`` pairs; all must match.
        persistent: it survives a crash, and with it the session.
        history: messages of the past to begin with, -1 all; 0 none.
        content: deliver contents.
        local: deliver own messages.
        oneway: deliver without acknowledgement.
        single: an equal subscription of this session is used instead of a second one.
    """

    filters: tuple[tuple[str, str], ...] = ()
    persistent: bool = False
    history: int | None = None
    content: bool = True
    local: bool = True
    oneway: bool = False
    single: bool = False

    def qos(self, subscription_id: str = "") -> QueryQos:
        """The QoS."""
        for kind, text in self.filters:
            _check(filter=kind + text)
        return QueryQos(
            subscription_id=subscription_id,
            content=self.content,
            local=self.local,
            update_oneway=self.oneway,
            multi_subscribe=not self.single,
            initial_update=self.history != 0,
            history_entries=self.history,
            persistent=self.persistent,
            filters=tuple(Filter(kind, text) for kind, text in self.filters),
        )


DEFAULT_PUBLISH = PublishOptions()
DEFAULT_SUBSCRIBE = SubscribeOptions()


def message_unit(oid: str, content: bytes | str, options: PublishOptions) -> bytes:
    """A message as it is published; text becomes UTF-8."""
    data = content.encode() if isinstance(content, str) else content
    return encode_unit(write_publish_qos(options.qos()), write_key(options.key(oid)), data)


def query_of(oid: str = "", xpath: str = "", domain: str = "", subscription_id: str = "") -> QueryKey:
    """The key of a query; exactly one of the arguments says what it selects.

    Raises:
        BrokerError: ``user.wrongApiUsage`` for none or more than one; ``user.illegalArgument`` for a text that XML
            cannot express.
    """
    _check(oid=oid, xpath=xpath, domain=domain, subscription_id=subscription_id)
    given = {
        QueryKind.EXACT: oid,
        QueryKind.XPATH: xpath,
        QueryKind.DOMAIN: domain,
        QueryKind.SUBSCRIPTION: subscription_id,
    }
    kinds = [kind for kind, value in given.items() if value]
    if len(kinds) != 1:
        raise BrokerError(Code.USER_WRONG_API_USAGE, "give exactly one of oid, xpath, domain and subscription_id")
    return QueryKey(kinds[0], oid=oid or subscription_id, text=xpath, domain=domain)


def _check(**texts: str) -> None:
    """Refuse what would arrive as another text, or another topic."""
    for name, text in texts.items():
        if not is_xml_text(text):
            raise BrokerError(
                Code.USER_ILLEGAL_ARGUMENT, f"the {name} {text[:MAX_SHOWN]!a} has a character that XML does not have"
            )
