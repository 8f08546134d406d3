"""Properties of the broker's core (spec xmlblaster §4, §6–§10)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from broker.config.kinds import BOOLEAN, TEXT, choice, duration, integer, size
from broker.config.options import Effect, Option, declare
from broker.config.properties import DEFAULT_NODE_ID
from broker.model.qos import Overflow


class Standby(StrEnum):
    """What a start does where another broker has the database."""

    REFUSE = "refuse"
    WAIT = "wait"


NODE_ID = declare(
    "cluster.node.id", TEXT, DEFAULT_NODE_ID, "Name of this node: in addresses, and the domain that it serves."
)
RUN_LEVEL = declare("runlevel", integer(0, 9), 9, "Run level that is gone to at start: 0, 3, 6 or 9.")
DATABASE_URL = declare(
    "db.url",
    TEXT,
    "",
    "Where durable state is kept: sqlite or postgresql+psycopg://user@host/name; empty: SQLite in the data directory.",
)
STANDBY = declare(
    "db.standby",
    choice(Standby),
    Standby.REFUSE,
    "What a start does where another broker has the database: refuse, or wait until that one is gone, and take over.",
)
KEEP_UNRESOLVED = declare(
    "property.keepUnresolvedProps",
    BOOLEAN,
    False,
    "Leave a ${name} without a value as it is; otherwise it is an error.",
)

AUDIT_DAYS = declare(
    "audit.keepDays", integer(1, 3650), 90, "Days that rows of the audit are kept in the database.", change=Effect.NOW
)
AUDIT_ENTRIES = declare(
    "audit.maxEntries",
    integer(1000),
    100_000,
    "Rows of the audit in the database; the oldest go, within an hour.",
    change=Effect.NOW,
)
SESSION_TIMEOUT = declare(
    "session.timeout",
    duration(-1),
    86_400_000,
    "Until a session without requests ends; 0 or -1: never.",
    change=Effect.NEW_OBJECTS,
)
MAX_SESSIONS = declare(
    "session.maxSessions",
    integer(1),
    10,
    "Sessions that one login name may have; a client may ask for fewer, not for more.",
    change=Effect.NEW_OBJECTS,
)
CLEAR_SESSIONS = declare(
    "session.clearSessions", BOOLEAN, False, "A connect ends the other sessions of its login name.", change=Effect.NOW
)
SAME_CLIENT_ONLY = declare(
    "session.reconnectSameClientOnly",
    BOOLEAN,
    False,
    "Only the client instance that made a session may reconnect to it.",
    change=Effect.NOW,
)
PTP_TIMEOUT = declare(
    "session.ptp.defaultTimeout",
    duration(-1),
    -1,
    "As session.timeout, for sessions that a message with forceQueuing made; 0 or -1: never.",
    change=Effect.NEW_OBJECTS,
)
STRICT_PERSISTENCE = declare(
    "persistence/session/strict",
    BOOLEAN,
    False,
    "Refuse persistent sessions without a public id above 0 or with callback retries other than -1.",
    change=Effect.NOW,
)

LIFE_TIME = declare(
    "message.lifeTime",
    duration(-1),
    -1,
    "Until a message expires that names no time; -1: never.",
    change=Effect.NEW_OBJECTS,
)
MAX_LIFE_TIME = declare(
    "message.maxLifeTime",
    duration(-1),
    -1,
    "Longest life time that a message may ask for; -1: any.",
    change=Effect.NEW_OBJECTS,
)
DESTROY_DELAY = declare(
    "topic.destroyDelay",
    duration(-1),
    60_000,
    "From the last use of an empty topic to its end; 0: at once, -1: never.",
    change=Effect.NEW_OBJECTS,
)
HISTORY_ENTRIES = declare(
    "history.numEntries",
    integer(-1),
    1,
    "Messages of the history that a new subscription gets first; -1: all.",
    change=Effect.NOW,
)
PENDING_SLEEP = declare(
    "cb.disconnect.pending.sleep",
    duration(0),
    1000,
    "How long a disconnect waits for updates that are under way.",
    change=Effect.NOW,
)


@dataclass(frozen=True, slots=True)
class QueueOptions:
    """Limits of one kind of queue (spec xmlblaster §10.1). Sizes in bytes."""

    max_entries: Option[int]
    max_bytes: Option[int]
    max_entries_cache: Option[int]
    max_bytes_cache: Option[int]


@dataclass(frozen=True, slots=True)
class StorageOptions:
    """Limits of the storage of sessions or of subscriptions (spec xmlblaster §7)."""

    max_entries: Option[int]
    max_entries_cache: Option[int]


def _declare_queue(relating: str, entries: int, owner: str) -> QueueOptions:
    prefix = f"queue/{relating}"
    return QueueOptions(
        declare(
            f"{prefix}/maxEntries",
            integer(0),
            entries,
            f"Messages that the queue of {owner} holds.",
            change=Effect.NEW_OBJECTS,
        ),
        declare(
            f"{prefix}/maxBytes",
            size(0),
            10_485_760,
            f"Sum of the sizes of messages in the queue of {owner}.",
            change=Effect.NEW_OBJECTS,
        ),
        declare(
            f"{prefix}/maxEntriesCache",
            integer(0),
            entries,
            "Of these messages, how many stay in memory.",
            change=Effect.NEW_OBJECTS,
        ),
        declare(
            f"{prefix}/maxBytesCache",
            size(0),
            2_097_152,
            "Of their sizes, how much stays in memory.",
            change=Effect.NEW_OBJECTS,
        ),
    )


def _declare_overflow(relating: str) -> Option[Overflow]:
    return declare(
        f"queue/{relating}/onOverflow",
        choice(Overflow),
        Overflow.DEAD_MESSAGE,
        "What happens to a message that the queue has no room for.",
        change=Effect.NEW_OBJECTS,
    )


def _declare_storage(name: str, entries: str) -> StorageOptions:
    prefix = f"persistence/{name}"
    return StorageOptions(
        declare(
            f"{prefix}/maxEntries",
            integer(0),
            1_000_000,
            f"Persistent {entries} that may exist; more are refused.",
            change=Effect.NOW,
        ),
        declare(f"{prefix}/maxEntriesCache", integer(0), 1000, "Accepted, without effect: all of these are in memory."),
    )


BLOCK_TIMEOUT = declare(
    "queue.blockTimeout",
    duration(1),
    30_000,
    "How long a publisher waits for room in a queue whose onOverflow is block; then it gets an error.",
    change=Effect.NOW,
)
MAX_ENTRIES = declare(
    "queue.mostEntries",
    integer(1),
    100_000,
    "The most that a client gets as maxEntries of a queue or history, whatever it asks for; its answer says so.",
    change=Effect.NEW_OBJECTS,
)
MAX_BYTES = declare(
    "queue.mostBytes",
    size(1),
    104_857_600,
    "The most that a client gets as maxBytes of a queue or history.",
    change=Effect.NEW_OBJECTS,
)
MAX_CACHE_ENTRIES = declare(
    "queue.mostEntriesCache",
    integer(1),
    10_000,
    "The most that a client gets as maxEntriesCache of a queue, whatever it asks for; what is above is on disk only.",
    change=Effect.NEW_OBJECTS,
)
MAX_CACHE_BYTES = declare(
    "queue.mostBytesCache",
    size(1),
    16_777_216,
    "The most that a client gets as maxBytesCache of a queue.",
    change=Effect.NEW_OBJECTS,
)
CACHE_BYTES = declare(
    "queue.cacheBytes",
    size(1),
    67_108_864,
    "What all queues together keep in memory, where a message counts for its content and 200 bytes; what is above is on"
    " disk only.",
    change=Effect.NOW,
)
MAX_TOPICS = declare(
    "topic.maxEntries",
    integer(1),
    1_000_000,
    "Topics that may exist.",
    change=Effect.NOW,
)
MAX_SUBSCRIPTIONS = declare(
    "session.maxSubscriptions", integer(1), 10_000, "Subscriptions that one session may have.", change=Effect.NOW
)
ALL_SUBSCRIPTIONS = declare(
    "subscription.maxEntries", integer(1), 1_000_000, "Subscriptions that may exist.", change=Effect.NOW
)
ANSWER_BYTES = declare(
    "get.maxBytes",
    size(1),
    67_108_864,
    "Bytes of all contents that one get is answered with; more are refused.",
    change=Effect.NOW,
)
ACCOUNT_FORCED = declare(
    "account.maxForced",
    integer(0),
    1000,
    "Sessions and login names that messages of one login name may make by forceQueuing; they count until somebody logs"
    " in to them.",
    change=Effect.NOW,
)
ACCOUNT_SUBSCRIPTIONS = declare(
    "account.maxSubscriptions",
    integer(0),
    50_000,
    "Subscriptions of all sessions of one login name together.",
    change=Effect.NOW,
)
ACCOUNT_MATCHES = declare(
    "account.maxMatches",
    integer(0),
    1_000_000,
    "Topics that all subscriptions by domain and XPath of one login name may have, each counted for each subscription"
    " that has it, at some 150 bytes of memory; a new topic above it is left out for them, and its first message is a"
    " dead message for their sessions.",
    change=Effect.NOW,
)
ACCOUNT_TOPICS = declare(
    "account.maxTopics", integer(0), 10_000, "Topics and nodes that one login name may make.", change=Effect.NOW
)
ACCOUNT_QUEUE_BYTES = declare(
    "account.maxQueueBytes",
    size(0),
    1 << 30,
    "What may wait in all queues of one login name together, those that its messages made by forceQueuing among them;"
    " then they are full.",
    change=Effect.NOW,
)
ACCOUNT_HISTORY_BYTES = declare(
    "account.maxHistoryBytes",
    size(0),
    1 << 30,
    "What the histories of all topics that one login name made may hold together.",
    change=Effect.NOW,
)
ACCOUNT_UNFINISHED_BYTES = declare(
    "account.maxUnfinishedBytes",
    size(0),
    1 << 28,
    "What all native connections of one login name together may have sent of requests whose end has not come; a"
    " connection that brings more is closed.",
    change=Effect.NOW,
)
ACCOUNT_WAITING_BYTES = declare(
    "account.maxWaitingBytes",
    size(0),
    1 << 28,
    "What may wait of requests that have come over all native connections of one login name together; with more,"
    " nothing is read from those connections until theirs are served.",
    change=Effect.NOW,
)
ACCOUNT_UNREAD_BYTES = declare(
    "account.maxUnreadBytes",
    size(0),
    1 << 28,
    "What all connections of one login name together may leave unread, on top of their buffers; a connection that would"
    " leave more is closed.",
    change=Effect.NOW,
)
TLS_WATCH = declare(
    "tls.watchSeconds",
    integer(0, 86_400),
    0,
    "Seconds between two looks at the files of certificates, keys and authorities: those that have become others are"
    " read again, as on SIGHUP; 0: never.",
    change=Effect.NOW,
)
ACCOUNT_XML_NAMES = declare(
    "account.maxXmlNames",
    integer(0),
    5_000,
    "Distinct names of elements and attributes that the XML of one login name may bring into what XPath looks at, and a"
    " quarter as many namespaces, until the broker starts again.",
)
XML_NAMES = declare(
    "xml.maxNames",
    integer(1000),
    100_000,
    "The same of all login names; documents may bring half of it. The parser forgets no name.",
)
CALLBACK_QUEUE = _declare_queue("callback", 1000, "a session")
CALLBACK_OVERFLOW = _declare_overflow("callback")
SUBJECT_QUEUE = _declare_queue("subject", 1000, "a login name")
SUBJECT_OVERFLOW = _declare_overflow("subject")
HISTORY_QUEUE = _declare_queue("history", 10, "a topic's history")
DEAD_LETTERS = _declare_queue("deadMessage", 1000, "dead messages that were persistent")
SESSION_STORAGE = _declare_storage("session", "sessions")
SUBSCRIPTION_STORAGE = _declare_storage("subscribe", "subscriptions")
