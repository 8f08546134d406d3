"""Commands about messages: topics, queues and dead messages."""

from __future__ import annotations

from broker.cli.ops.verb import Argument, Form, Verb

DEAD = Argument("ID", ("id",), "as broker dead list has it")
QUEUE = Argument(
    "QUEUE", ("relating", "owner"), "callback/joe~1 of a session, subject/joe of a login name, history/news of a topic"
)
TOPIC_COLUMNS = ("oid", "state", "subscribers", "historyEntries", "historyBytes", "owner", "mime")
QUEUE_COLUMNS = ("relating/owner", "entries", "bytes", "onDisk", "fillRatio", "oldestAt", "leftPerSecond", "waiting")
TOPIC = Argument("OID", ("oid",), "name of the topic")

ROUTE_COLUMNS = ("jid", "gets", "carbon", "reason")
MESSAGE_VERBS = (
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
        TOPIC,
    ),
    Verb("topics count", "count topics", "listTopics", Form.COUNT),
    Verb(
        "topics erase",
        "erase a topic, and tell its subscribers",
        "eraseTopic",
        Form.CHANGE,
        TOPIC,
        loses="its history is lost, and with --force-destroy what queues still hold of it",
        examples=("broker topics erase weather --yes",),
    ),
    Verb(
        "topics clear-history",
        "empty the history of a topic",
        "clearHistory",
        Form.CHANGE,
        TOPIC,
        loses="the messages in its history are lost",
        examples=("broker topics clear-history weather --yes",),
    ),
    Verb(
        "topics receivers",
        "list who gets what is published on a topic, and who does not, with the reason",
        "listReceivers",
        Form.LIST,
        TOPIC,
        ("subscription", "session", "delivers", "check", "detail"),
    ),
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
        "queues move",
        "move messages to another queue, or publish them on a topic; after a crash each is in exactly one place",
        "moveEntries",
        Form.CHANGE,
        QUEUE,
        examples=(
            "broker queues move callback/joe~1 --oid 'weather*' --to subject/joe --dry-run",
            "broker queues move callback/joe~1 --all --to topic/archive",
        ),
    ),
    Verb(
        "queues requeue",
        "put messages behind the others of their queue",
        "requeueEntries",
        Form.CHANGE,
        QUEUE,
        examples=("broker queues requeue callback/joe~1 --seq 1796084361326000001",),
    ),
    Verb(
        "queues delete",
        "delete messages of a queue, or make dead messages of them",
        "deleteEntries",
        Form.CHANGE,
        QUEUE,
        seen="getQueue",
        loses="the messages leave the queue, and with --to nothing they are lost",
        examples=("broker queues delete callback/joe~1 --older-than-seconds 86400 --to dead --yes",),
    ),
    Verb(
        "queues purge",
        "delete all messages of a queue",
        "purgeQueue",
        Form.CHANGE,
        QUEUE,
        confirm=("confirm", "owner"),
        loses="all of its messages are lost",
        examples=("broker queues purge callback/joe~1 --reason test",),
    ),
    Verb(
        "queues count",
        "count queues",
        "listQueues",
        Form.COUNT,
        examples=("broker queues count --older-than-seconds 3600",),
    ),
    Verb(
        "routes explain",
        "tell which resources a message of an XMPP client would reach, and why",
        "explainRoute",
        Form.CHANGE,
        columns=ROUTE_COLUMNS,
        rows="resources",
        examples=("broker routes explain --from ann@localhost --to joe@localhost --type chat",),
    ),
    Verb(
        "dead list",
        "list dead messages, the newest first",
        "listDeadMessages",
        Form.LIST,
        columns=("id", "diedAt", "oid", "receiver", "sender", "reasonGroup", "reason.code", "replays", "sizeBytes"),
        examples=("broker dead list --receiver '*joe*'", "broker dead list --reason-group overflow --limit 10"),
    ),
    Verb(
        "dead count",
        "count dead messages, in groups",
        "countDeadMessages",
        Form.LIST,
        columns=("count", "reasonGroup", "receiver", "oid"),
        rows="groups",
        examples=("broker dead count --by reasonGroup,receiver",),
    ),
    Verb("dead show", "tell everything of one dead message", "getDeadMessage", Form.SHOW, DEAD),
    Verb(
        "dead replay",
        "send dead messages again; each is sent once, or stays dead, whatever crashes",
        "replayDeadMessages",
        Form.CHANGE,
        examples=("broker dead replay --receiver '*joe*' --dry-run", "broker dead replay --id 17 --to topic"),
    ),
    Verb(
        "dead export",
        "print dead messages as a script that publishes them again",
        "exportDeadMessages",
        Form.CHANGE,
        prints="script",
        examples=("broker dead export --all",),
    ),
    Verb(
        "dead delete",
        "delete a dead message",
        "deleteDeadMessage",
        Form.CHANGE,
        DEAD,
        loses="the message is lost",
    ),
    Verb(
        "dead purge",
        "delete all dead messages",
        "purgeDeadMessages",
        Form.CHANGE,
        fixed=(("confirm", "dead"),),
        loses="all dead messages are lost",
    ),
)
