"""The commands that ask a broker: a row each. Their parsers, the documents and the tests are made of this table.

What a command takes and prints comes from the description of its operation (``openapi.json``): the parameters of the
query are its options, the fields of the answer its columns.
"""

from __future__ import annotations

from broker.cli.ops.verb import Argument, Form, Verb

NOUNS = {
    "sessions": "sessions of clients, attached or not",
    "subjects": "login names: whether they may log in, and how many sessions they may have",
    "connections": "connections of clients",
    "topics": "topics, their subscribers and histories",
    "queues": "queues of sessions and login names, and histories",
    "tokens": "tokens, by which programs administer over a port",
}
"""First words of commands that have two."""

SESSION = Argument("SESSION", ("subject", "publicId"), "login name and number, such as joe/1", cut_last=True)
SUBJECT = Argument("NAME", ("name",), "a login name")
CONNECTION = Argument("ID", ("id",), "as broker connections list has it")
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
        "tell whether the broker lives, is ready for clients, or how its parts are; exit status 6 where not",
        "",
        Form.HEALTH,
        also=("getLiveness", "getReadiness", "getChecks", "getCheck"),
        examples=("broker health", "broker health live --quiet", "broker health checks", "broker health certificates"),
    ),
    Verb(
        "diagnose",
        "tell what is wrong or odd, the worst first, and what to do; exit status 6 where there is something to do",
        "diagnose",
        Form.DIAGNOSE,
        examples=("broker diagnose",),
    ),
    Verb(
        "audit",
        "list what was done in administration, the newest first",
        "listAudit",
        Form.LIST,
        columns=("at", "principal", "via", "action", "target", "outcome", "reason", "parameters"),
        examples=("broker audit --since 1h", "broker audit --by 'uid 0' --action 'session.*'"),
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
        "sessions disconnect",
        "close the connection of a session, which waits for its client",
        "disconnectSession",
        Form.CHANGE,
        SESSION,
        examples=("broker sessions disconnect joe/1 --reason 'it floods'",),
    ),
    Verb(
        "sessions end",
        "end a session",
        "endSession",
        Form.CHANGE,
        SESSION,
        loses="the session ends; its subscriptions are lost, and its messages go where --queue says",
        examples=("broker sessions end joe/1 --queue dead --yes",),
    ),
    Verb(
        "sessions hold",
        "hold the deliveries to a session",
        "setDeliveries",
        Form.CHANGE,
        SESSION,
        fixed=(("active", False),),
    ),
    Verb(
        "sessions resume",
        "go on with the deliveries to a session",
        "setDeliveries",
        Form.CHANGE,
        SESSION,
        fixed=(("active", True),),
    ),
    Verb(
        "subjects block",
        "refuse logins of a login name until they are let in again",
        "blockSubject",
        Form.CHANGE,
        SUBJECT,
        examples=("broker subjects block joe --disconnect --reason 'stolen password'",),
    ),
    Verb("subjects unblock", "let logins of a login name in again", "unblockSubject", Form.CHANGE, SUBJECT),
    Verb(
        "subjects set-max-sessions",
        "limit the sessions of a login name",
        "limitSubject",
        Form.CHANGE,
        SUBJECT,
        positional=("maxSessions",),
        examples=("broker subjects set-max-sessions joe 3",),
    ),
    Verb(
        "connections list",
        "list connections",
        "listConnections",
        Form.LIST,
        columns=CONNECTION_COLUMNS,
        examples=("broker connections list --state notLoggedIn",),
    ),
    Verb("connections show", "tell everything of one connection", "getConnection", Form.SHOW, CONNECTION),
    Verb(
        "connections close",
        "close a connection, whose client may come back",
        "closeConnection",
        Form.CHANGE,
        CONNECTION,
        examples=("broker connections close 17 --reason 'it floods'",),
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
        "queues peek",
        "look at the messages of a queue in the order of their delivery, without any trace",
        "listEntries",
        Form.LIST,
        QUEUE,
        ("seq", "oid", "sender", "receivedAt", "sizeBytes", "priority", "inFlight", "redeliver"),
        examples=(
            "broker queues peek callback/joe~1 --limit 5",
            "broker queues peek history/news --from tail --limit 1 --columns content.text",
        ),
    ),
    Verb(
        "queues count",
        "count queues",
        "listQueues",
        Form.COUNT,
        examples=("broker queues count --older-than-seconds 3600",),
    ),
    Verb(
        "tokens list",
        "list tokens of programs: your own, all for administrators",
        "listTokens",
        Form.LIST,
        columns=("id", "owner", "name", "role", "createdAt", "expiresAt", "lastUsedAt"),
    ),
    Verb(
        "tokens create",
        "make a token for a program, and print it, this once",
        "createToken",
        Form.CHANGE,
        positional=("name",),
        examples=("broker tokens create prometheus --owner adm --role monitoring --days 365",),
    ),
    Verb(
        "tokens revoke",
        "end a token",
        "revokeToken",
        Form.CHANGE,
        Argument("ID", ("id",), "as broker tokens list has it"),
        examples=("broker tokens revoke 3f2a",),
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

ASKING = tuple(dict.fromkeys(verb.name.partition(" ")[0] for verb in VERBS))
"""First words of the commands."""

WITHOUT_A_VERB = {
    "followStream": "a page follows it",
    "listSubscriptions": "broker api GET /subscriptions",
    "getSubscription": "broker api GET /subscriptions/ID",
    "explainSubscription": 'broker api POST /subscriptions/explain \'{"session": "joe/1", "topic": "news"}\'',
    "listReceivers": "broker api GET /topics/news/receivers",
    "listDeadMessages": "broker api GET /dead-messages",
    "countDeadMessages": "broker api GET /dead-messages/count?groupBy=reasonGroup",
    "getDeadMessage": "broker api GET /dead-messages/ID",
    "replayDeadMessages": 'broker api POST /dead-messages/replay \'{"select": {"all": true}}\'',
    "exportDeadMessages": "broker api POST /dead-messages/export",
    "purgeDeadMessages": 'broker api POST /dead-messages/purge \'{"confirm": "dead"}\'',
    "deleteDeadMessage": "broker api DELETE /dead-messages/ID",
    "moveEntries": "broker api POST /queues/callback/joe~1/entries/move",
    "requeueEntries": "broker api POST /queues/callback/joe~1/entries/requeue",
    "deleteEntries": "broker api POST /queues/callback/joe~1/entries/delete",
    "listOperations": "broker api GET /operations",
    "getOperation": "broker api GET /operations/op-1",
    "stopOperation": "broker api DELETE /operations/op-1",
    "purgeQueue": 'broker api POST /queues/callback/joe~1/entries/purge \'{"confirm": "joe~1"}\'',
    "getHistory": "for the charts of the console; broker top shows numbers as they are, Prometheus keeps them",
    "logIn": "for browsers: a command has the socket, or a token",
    "logOut": "likewise",
    "getRunLevel": "broker api GET /run-level",
    "setRunLevel": "broker api PUT /run-level '{\"levels\": [3, 9]}'",
    "listPlugins": "broker api GET /plugins",
    "getPlugin": "broker api GET /plugins/SOCKET",
    "changeListener": "broker api PATCH /listeners/SOCKET '{\"accepting\": false}'",
    "eraseTopic": "broker api DELETE /topics/news; broker erase asks as a client",
    "clearHistory": "broker api POST /topics/news/history/clear",
    "refreshSession": "broker api POST /sessions/joe/1/refresh",
    "changeSession": "broker api PATCH /sessions/joe/1 '{\"timeoutSeconds\": 3600}'",
    "listSubjects": "broker api GET /subjects",
    "getSubject": "broker api GET /subjects/joe",
    "listAccounts": "broker api GET /accounts; without a broker: broker user list",
    "getAccount": "broker api GET /accounts/joe",
    "addAccount": "broker user add",
    "changeAccount": "broker user passwd, broker user role",
    "removeAccount": "broker user remove",
    "listProperties": "broker api GET /properties?changed=true",
    "getProperty": "broker api GET /properties/session.timeout",
    "setProperty": 'broker api PUT /properties/session.timeout \'{"value": "1h", "keep": true}\'',
    "takeBackProperty": "broker api DELETE /properties/session.timeout",
    "listLogLevels": "broker api GET /log-levels",
    "setLogLevel": 'broker api PUT /log-levels/broker.core \'{"level": "debug", "forSeconds": 600}\'',
    "listListeners": "broker api GET /listeners",
    "getListener": "broker api GET /listeners/XMPP",
    "reloadTls": "broker api POST /listeners/XMPP/reload-tls",
    "getDocument": "broker api GET /openapi.json; the command has a copy of its own",
}
"""Operations that no command asks for, and why not."""
