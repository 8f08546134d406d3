"""The commands that ask a broker: a row each. Their parsers, the documents and the tests are made of this table.

What a command takes and prints comes from the description of its operation (``openapi.json``): the parameters of the
query are its options, the fields of the answer its columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Form(Enum):
    """How a command asks, and what it makes of the answer."""

    LIST = "list"
    """Pages of rows, as a table."""
    COUNT = "count"
    """The number of rows that match."""
    SHOW = "show"
    """One object, a line for each field."""
    WHY = "why"
    """The reasons why a queue waits."""
    STATUS = "status"
    TOP = "top"
    HEALTH = "health"
    METRICS = "metrics"
    API = "api"


@dataclass(frozen=True, slots=True)
class Argument:
    """A name on the command line that stands for parameters of the path.

    Args:
        metavar: what the help calls it.
        parameters: one, or two with ``/`` between their values.
        help: what it is, with an example.
        cut_last: of several ``/`` the last one counts, else the first.
    """

    metavar: str
    parameters: tuple[str, ...]
    help: str
    cut_last: bool = False


@dataclass(frozen=True, slots=True)
class Verb:
    """A command.

    Args:
        name: one word, or a noun and a verb.
        help: what it does.
        operation: that it asks for; empty where that depends on its arguments.
        form: how.
        argument: what it is about; ``None`` for everything.
        columns: fields that a list shows unless others are named, the first of which is the name of an object.
        also: more operations that it asks for.
        examples: command lines.
    """

    name: str
    help: str
    operation: str
    form: Form
    argument: Argument | None = None
    columns: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()

    @property
    def operations(self) -> tuple[str, ...]:
        """All operations that it asks for."""
        return (self.operation, *self.also) if self.operation else self.also


NOUNS = {
    "sessions": "sessions of clients, attached or not",
    "connections": "connections of clients",
    "topics": "topics, their subscribers and histories",
    "queues": "queues of sessions and login names, and histories",
}
"""First words of commands that have two."""

SESSION = Argument("SESSION", ("subject", "publicId"), "login name and number, such as joe/1", cut_last=True)
QUEUE = Argument(
    "QUEUE", ("relating", "owner"), "callback/joe~1 of a session, subject/joe of a login name, history/news of a topic"
)
SESSION_COLUMNS = (
    "name",
    "kind",
    "state",
    "queue.entries",
    "queue.bytes",
    "queue.oldestAt",
    "waiting",
    "idleSeconds",
    "endsAt",
)
CONNECTION_COLUMNS = ("id", "listener", "peer", "state", "session", "openedAt", "tls.version", "heldBack.cause")
TOPIC_COLUMNS = ("oid", "state", "subscribers", "historyEntries", "historyBytes", "owner", "mime")
QUEUE_COLUMNS = ("relating/owner", "entries", "bytes", "onDisk", "fillRatio", "oldestAt", "leftPerSecond", "waiting")

VERBS = (
    Verb(
        "status",
        "tell how the broker is, on one screen",
        "getOverview",
        Form.STATUS,
        examples=("broker status --watch", "broker --data /var/lib/broker status --json"),
    ),
    Verb(
        "health",
        "tell whether the broker lives, or is ready for clients; exit status 6 where not",
        "",
        Form.HEALTH,
        also=("getLiveness", "getReadiness"),
        examples=("broker health", "broker health live --quiet"),
    ),
    Verb(
        "top",
        "follow rates, lag, and the busiest queues and sessions on the whole screen",
        "getOverview",
        Form.TOP,
        also=("listQueues", "listSessions", "getMetrics"),
        examples=("broker top", "broker top --interval 10"),
    ),
    Verb("whoami", "tell who you are to the broker, and with which role", "getMe", Form.SHOW),
    Verb(
        "sessions list",
        "list sessions",
        "listSessions",
        Form.LIST,
        columns=SESSION_COLUMNS,
        examples=(
            "broker sessions list --state detached --sort -queueEntries",
            "broker sessions list --subject 'joe*' --columns name,state,lastError",
        ),
    ),
    Verb(
        "sessions count", "count sessions", "listSessions", Form.COUNT, examples=("broker sessions count --kind xmpp",)
    ),
    Verb("sessions show", "tell everything of one session", "getSession", Form.SHOW, SESSION),
    Verb(
        "sessions why", "tell why a session's messages wait, and what to do about it", "getSession", Form.WHY, SESSION
    ),
    Verb(
        "connections list",
        "list connections",
        "listConnections",
        Form.LIST,
        columns=CONNECTION_COLUMNS,
        examples=("broker connections list --state notLoggedIn",),
    ),
    Verb(
        "connections show",
        "tell everything of one connection",
        "getConnection",
        Form.SHOW,
        Argument("ID", ("id",), "as the list has it"),
    ),
    Verb("connections count", "count connections", "listConnections", Form.COUNT),
    Verb(
        "topics list",
        "list topics",
        "listTopics",
        Form.LIST,
        columns=TOPIC_COLUMNS,
        examples=("broker topics list --sort -subscribers --limit 10",),
    ),
    Verb(
        "topics show",
        "tell everything of one topic",
        "getTopic",
        Form.SHOW,
        Argument("OID", ("oid",), "its name"),
    ),
    Verb("topics count", "count topics", "listTopics", Form.COUNT),
    Verb(
        "queues list",
        "list queues, the longest first",
        "listQueues",
        Form.LIST,
        columns=QUEUE_COLUMNS,
        examples=("broker queues list --min-entries 1", "broker queues list --min-fill-ratio 0.9 --json"),
    ),
    Verb("queues show", "tell everything of one queue", "getQueue", Form.SHOW, QUEUE),
    Verb(
        "queues why",
        "tell why a queue waits, since when, and what to do about it",
        "getQueue",
        Form.WHY,
        QUEUE,
        examples=("broker queues why callback/joe~1",),
    ),
    Verb(
        "queues count",
        "count queues",
        "listQueues",
        Form.COUNT,
        examples=("broker queues count --older-than-seconds 3600",),
    ),
    Verb(
        "metrics",
        "print metrics",
        "getMetrics",
        Form.METRICS,
        examples=("broker metrics", "broker metrics broker_queue_entries", "broker metrics 'broker_store_*'"),
    ),
    Verb(
        "api",
        "send one request to the API, and print the answer",
        "",
        Form.API,
        examples=("broker api GET /sessions?limit=1", "broker api GET /health/ready"),
    ),
)

WITHOUT_A_VERB = {
    "getHistory": "for the charts of the console; broker top shows numbers as they are, Prometheus keeps them",
    "logIn": "for browsers: a command has the socket, or a token",
    "logOut": "likewise",
    "listEntries": "broker api GET /queues/callback/joe~1/entries",
    "disconnectSession": "broker api POST /sessions/joe/1/disconnect",
    "endSession": 'broker api POST /sessions/joe/1/end \'{"queue": "dead"}\'',
    "setDeliveries": "broker api POST /sessions/joe/1/deliveries '{\"active\": false}'",
    "closeConnection": "broker api DELETE /connections/17",
    "blockSubject": "broker api POST /subjects/joe/block",
    "unblockSubject": "broker api POST /subjects/joe/unblock",
    "limitSubject": "broker api PATCH /subjects/joe '{\"maxSessions\": 3}'",
    "listTokens": "broker api GET /tokens",
    "createToken": 'broker api POST /tokens \'{"name": "backup", "owner": "adm"}\'',
    "revokeToken": "broker api DELETE /tokens/ID",
    "listAudit": "broker api GET /audit",
    "getChecks": "broker api GET /health/checks",
    "getCheck": "broker api GET /health/checks/certificates?withinDays=21",
    "diagnose": "broker api GET /diagnose",
    "getDocument": "broker api GET /openapi.json; the command has a copy of its own",
}
"""Operations that no command asks for, and why not."""
