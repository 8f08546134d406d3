"""Properties of the XMPP service (spec xmpp §1.7, §2.5)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from broker.config.kinds import BOOLEAN, TEXT, choice, integer, size
from broker.config.options import Effect, declare, declare_indexed
from broker.config.properties import Properties
from broker.core.entries import QueueLimits
from broker.errors import BrokerError, Code
from broker.model.jid import parse_jid
from broker.model.qos import Overflow
from broker.xmpp.wire.sm import MAX_WINDOW


class Durable(StrEnum):
    """What of a stream survives a crash."""

    YES = "yes"
    MESSAGES = "messages"
    NO = "no"


class Backend(StrEnum):
    """Where stream management keeps its state."""

    SQL = "sql"
    MEMORY = "memory"


class TlsPolicy(StrEnum):
    """Whether clients must use TLS."""

    REQUIRED = "required"
    OPTIONAL = "optional"
    OFF = "off"
    AUTO = "auto"


_PREFIX = "modules.mod_stream_management"

DOMAIN = declare("xmpp.domain", TEXT, "localhost", "The domain that is served to XMPP clients.")
TLS = declare(
    "xmpp.tls",
    choice(TlsPolicy),
    TlsPolicy.AUTO,
    "required, optional or off; auto: optional for listeners on loopback, required for all others.",
    change=Effect.LISTENER,
)
PLAIN_WITHOUT_TLS = declare(
    "xmpp.plainWithoutTls",
    BOOLEAN,
    False,
    "Let clients of a loopback listener send passwords without TLS.",
    change=Effect.LISTENER,
)
ANONYMOUS = declare(
    "xmpp.anonymous", BOOLEAN, False, "Let clients log in without an account (SASL ANONYMOUS).", change=Effect.LISTENER
)
CERTIFICATE = declare(
    "xmpp.certificate",
    TEXT,
    "",
    "PEM file with the certificate and its chain; empty: one is made in the data directory.",
)
PRIVATE_KEY = declare("xmpp.privateKey", TEXT, "", "PEM file with the key; empty: it stands in xmpp.certificate.")
CLIENT_CA = declare(
    "xmpp.clientCertificates",
    TEXT,
    "",
    "PEM file of the authorities whose certificates log a client in (SASL EXTERNAL).",
    change=Effect.LISTENER,
)
IDLE = declare(
    "idle.c2s",
    integer(-1),
    360,
    "Seconds of silence until a client is disconnected; at half of them it is asked for a sign of life; -1 never.",
    change=Effect.LISTENER,
)
IDLE_PING = declare(
    "idle.c2s.ping", BOOLEAN, True, "Ask an idle client for a sign of life at half of idle.c2s.", change=Effect.LISTENER
)
IDLE_WEBSOCKET = declare(
    "idle.ws",
    integer(-1),
    360,
    "The same as idle.c2s over WebSocket, where a ping of WebSocket asks; -1 never.",
    change=Effect.LISTENER,
)
MAX_STANZA = declare("xmpp.maxStanza", size(10_000), 1 << 20, "Longest stanza.", change=Effect.LISTENER)
MAX_STANZA_BEFORE_LOGIN = declare(
    "xmpp.maxStanzaBeforeLogin", size(1_000), 10 << 10, "Longest stanza before the login.", change=Effect.LISTENER
)
BIND_TIMEOUT = declare(
    "xmpp.loginTimeout", integer(1, 300), 60, "Seconds until a connection must be bound.", change=Effect.LISTENER
)

CONTACTS = declare_indexed(
    "xmpp.contact",
    "Addresses (mailto: xmpp: https:) told to clients, by abuse, admin, feedback, sales, security, status, support.",
    "support",
)
SHOW_SYSTEM = declare(
    "xmpp.showOperatingSystem",
    BOOLEAN,
    False,
    "Tell clients that ask for the version the operating system, too.",
    change=Effect.LISTENER,
)

STANZA_IDS = declare(
    "xmpp.stanzaIds", BOOLEAN, True, "Give every stored message an id (XEP-0359).", change=Effect.LISTENER
)

MAX_CONTACTS = declare("xmpp.roster.maxContacts", integer(1), 5000, "Contacts of one account.", change=Effect.LISTENER)
MAX_ROSTER = declare(
    "xmpp.roster.maxBytes",
    size(1000),
    4 << 20,
    "Names and groups of all contacts of one account together.",
    change=Effect.LISTENER,
)
MAX_REQUEST = declare(
    "xmpp.roster.maxRequest",
    size(1000),
    10_000,
    "Longest request for a subscription, which is kept until it is answered.",
    change=Effect.LISTENER,
)
MAX_STORED = declare(
    "xmpp.storage.maxSize",
    size(1000),
    64 << 10,
    "Longest vCard or private element of an account.",
    change=Effect.LISTENER,
)
MAX_PRIVATE = declare(
    "xmpp.storage.maxElements", integer(1), 100, "Private elements of one account (XEP-0049).", change=Effect.LISTENER
)
MAX_BLOCKED = declare(
    "xmpp.blocking.maxEntries", integer(1), 1000, "Addresses that one account may block.", change=Effect.LISTENER
)
MAX_ITEMS = declare(
    "xmpp.pubsub.maxItems", integer(0), 10_000, "Items that a pub/sub node may keep.", change=Effect.LISTENER
)
QUEUE_ENTRIES = declare(
    "xmpp.queue.maxEntries",
    integer(1),
    100_000,
    "Stanzas that may wait for one client. Their sender is told when there are more.",
    change=Effect.LISTENER,
)
QUEUE_BYTES = declare("xmpp.queue.maxBytes", size(1), 1 << 30, "The same in bytes.", change=Effect.LISTENER)
QUEUE_ENTRIES_CACHE = declare(
    "xmpp.queue.maxEntriesCache",
    integer(1),
    10_000,
    "Stanzas of these in memory; those above it are on disk.",
    change=Effect.LISTENER,
)
QUEUE_BYTES_CACHE = declare("xmpp.queue.maxBytesCache", size(1), 2 << 20, "The same in bytes.", change=Effect.LISTENER)

SM_ENABLED = declare("sm.enabled", BOOLEAN, True, "Offer stream management (XEP-0198).", change=Effect.LISTENER)
SM_BUFFER = declare(
    f"{_PREFIX}.buffer", BOOLEAN, True, "Keep stanzas until the client has acknowledged them.", change=Effect.LISTENER
)
SM_BUFFER_MAX = declare(
    f"{_PREFIX}.buffer_max",
    TEXT,
    "100",
    "Stanzas sent and not acknowledged before the broker waits; or infinity.",
    change=Effect.LISTENER,
)
SM_ACK = declare(f"{_PREFIX}.ack", BOOLEAN, True, "Ask clients for acknowledgements.", change=Effect.LISTENER)
SM_ACK_FREQ = declare(
    f"{_PREFIX}.ack_freq",
    integer(1),
    1,
    "Ask after so many stanzas, when a burst has been sent.",
    change=Effect.LISTENER,
)
SM_RESUME_TIMEOUT = declare(
    f"{_PREFIX}.resume_timeout",
    integer(1, MAX_WINDOW),
    600,
    "Seconds that a session may be resumed after its connection is lost.",
    change=Effect.LISTENER,
)
SM_STALE_H = declare(
    f"{_PREFIX}.stale_h.enabled",
    BOOLEAN,
    False,
    "Tell clients whose session has expired what had arrived of them.",
    change=Effect.LISTENER,
)
SM_STALE_H_REPEAT = declare(
    f"{_PREFIX}.stale_h.repeat_after",
    integer(1),
    1800,
    "Seconds between clean-ups of expired sessions' counters.",
    change=Effect.LISTENER,
)
SM_STALE_H_GERIATRIC = declare(
    f"{_PREFIX}.stale_h.geriatric",
    integer(1),
    3600,
    "Seconds that the counter of an expired session is kept.",
    change=Effect.LISTENER,
)
SM_BACKEND = declare(
    f"{_PREFIX}.backend",
    choice(Backend),
    Backend.SQL,
    "sql: sessions survive a crash; memory: only lost connections. Messages are kept as sm.durable says.",
)
SM_RESUME = declare("sm.resume", BOOLEAN, True, "Let clients resume sessions.", change=Effect.LISTENER)
SM_MAX_RESUME_TIMEOUT = declare(
    "sm.max_resume_timeout",
    integer(1, MAX_WINDOW),
    86_400,
    "Longest time in seconds that a client may ask for.",
    change=Effect.LISTENER,
)
SM_ACK_TIMEOUT = declare(
    "sm.ack_timeout",
    integer(1),
    60,
    "Seconds to wait for an acknowledgement that was asked for.",
    change=Effect.LISTENER,
)
SM_VOLATILE_MAX = declare(
    "sm.unacked_volatile_max",
    integer(1),
    1000,
    "Presence and answers kept for a client whose connection is lost.",
    change=Effect.LISTENER,
)
SM_LOCATION = declare(
    "sm.location", TEXT, "", "host:port where clients should resume; empty: not told.", change=Effect.LISTENER
)
SM_DURABLE = declare(
    "sm.durable",
    choice(Durable),
    Durable.YES,
    "yes: sessions survive a crash and no stanza is lost or doubled; messages: only messages are kept; no: nothing.",
)


@dataclass(frozen=True, slots=True)
class XmppSettings:
    """The properties above, read. Times in seconds."""

    domain: str
    tls: TlsPolicy
    anonymous: bool
    plain_without_tls: bool
    idle: int
    idle_ping: bool
    idle_websocket: int
    max_stanza: int
    max_stanza_before_login: int
    bind_timeout: int
    contacts: dict[str, tuple[str, ...]]
    show_system: bool
    stanza_ids: bool
    max_contacts: int
    max_roster_bytes: int
    max_request: int
    max_stored: int
    max_private: int
    max_blocked: int
    max_items: int
    queue: QueueLimits
    sm_enabled: bool
    sm_resume: bool
    sm_window: int
    sm_ask: bool
    sm_ack_every: int
    sm_resume_timeout: int
    sm_max_resume_timeout: int
    sm_ack_timeout: int
    sm_volatile_max: int
    sm_stale_h: bool
    sm_stale_h_interval: int
    sm_stale_h_life: int
    sm_location: str
    sm_durable: Durable


UNLIMITED_WINDOW = 1_000_000
CONTACT_ROLES = frozenset({"abuse", "admin", "feedback", "sales", "security", "status", "support"})
"""What contact addresses may be for (XEP-0157 §4)."""


def settings_of(properties: Properties) -> XmppSettings:
    """Read the settings.

    Raises:
        BrokerError: ``resource.configuration`` for a value that cannot be used.
    """
    buffer = SM_BUFFER_MAX.get(properties).strip().lower()
    durable = SM_DURABLE.get(properties)
    if SM_BACKEND.get(properties) is Backend.MEMORY and durable is Durable.YES:
        durable = Durable.MESSAGES  # it says where the state of streams is, not what becomes of messages
    return XmppSettings(
        domain=_domain(DOMAIN.get(properties)),
        tls=TLS.get(properties),
        anonymous=ANONYMOUS.get(properties),
        plain_without_tls=PLAIN_WITHOUT_TLS.get(properties),
        idle=IDLE.get(properties),
        idle_ping=IDLE_PING.get(properties),
        idle_websocket=IDLE_WEBSOCKET.get(properties),
        max_stanza=MAX_STANZA.get(properties),
        max_stanza_before_login=MAX_STANZA_BEFORE_LOGIN.get(properties),
        bind_timeout=BIND_TIMEOUT.get(properties),
        contacts=_contacts(properties),
        show_system=SHOW_SYSTEM.get(properties),
        max_contacts=MAX_CONTACTS.get(properties),
        max_roster_bytes=MAX_ROSTER.get(properties),
        max_request=MAX_REQUEST.get(properties),
        max_stored=MAX_STORED.get(properties),
        max_private=MAX_PRIVATE.get(properties),
        max_blocked=MAX_BLOCKED.get(properties),
        max_items=MAX_ITEMS.get(properties),
        stanza_ids=STANZA_IDS.get(properties),
        queue=QueueLimits(
            entries=QUEUE_ENTRIES.get(properties),
            bytes=QUEUE_BYTES.get(properties),
            cache_entries=QUEUE_ENTRIES_CACHE.get(properties),
            cache_bytes=QUEUE_BYTES_CACHE.get(properties),
            overflow=Overflow.EXCEPTION,
        ),
        sm_enabled=SM_ENABLED.get(properties),
        sm_resume=SM_RESUME.get(properties) and SM_BUFFER.get(properties),
        sm_window=UNLIMITED_WINDOW if buffer == "infinity" else integer(1).parse(buffer),
        sm_ask=SM_ACK.get(properties),
        sm_ack_every=SM_ACK_FREQ.get(properties),
        sm_resume_timeout=SM_RESUME_TIMEOUT.get(properties),
        sm_max_resume_timeout=SM_MAX_RESUME_TIMEOUT.get(properties),
        sm_ack_timeout=SM_ACK_TIMEOUT.get(properties),
        sm_volatile_max=SM_VOLATILE_MAX.get(properties),
        sm_stale_h=SM_STALE_H.get(properties),
        sm_stale_h_interval=SM_STALE_H_REPEAT.get(properties),
        sm_stale_h_life=SM_STALE_H_GERIATRIC.get(properties),
        sm_location=SM_LOCATION.get(properties),
        sm_durable=durable,
    )


def _domain(text: str) -> str:
    try:
        jid = parse_jid(text.strip())
    except BrokerError as error:
        raise BrokerError(Code.RESOURCE_CONFIGURATION, f"xmpp.domain: {error.message}", "/xmpp") from error
    if jid.local or jid.resource:
        raise BrokerError(Code.RESOURCE_CONFIGURATION, f"xmpp.domain: '{text}' is an address and no domain", "/xmpp")
    return jid.domain


def _contacts(properties: Properties) -> dict[str, tuple[str, ...]]:
    contacts: dict[str, tuple[str, ...]] = {}
    for role, text in sorted(CONTACTS.get(properties).items()):
        name = f"{CONTACTS.name}[{role}]"
        if role not in CONTACT_ROLES:
            raise BrokerError(Code.RESOURCE_CONFIGURATION, f"{name}: not one of {', '.join(sorted(CONTACT_ROLES))}")
        addresses = tuple(text.split())
        for address in addresses:
            if ":" not in address:
                raise BrokerError(
                    Code.RESOURCE_CONFIGURATION, f"{name}: {address} does not begin like mailto: or xmpp:"
                )
        if addresses:
            contacts[role] = addresses
    return contacts
