"""Commands about the broker itself."""

from __future__ import annotations

from broker.cli.ops.verb import Argument, Form, Verb

PROPERTY = Argument("NAME", ("name",), "name of the property")
LOG_COLUMNS = ("namespace", "level", "source", "until")
OPERATION = Argument("ID", ("id",), "as broker operations list has it")
PLUGIN = Argument("ID", ("id",), "as broker plugins list has it")
LISTENER = Argument("NAME", ("name",), "as broker listeners list has it, such as XMPP")

NODE_VERBS = (
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
    Verb("run-level show", "tell the run level", "getRunLevel", Form.SHOW),
    Verb(
        "run-level set",
        "go to other run levels, one after the other",
        "setRunLevel",
        Form.CHANGE,
        positional=("levels",),
        loses="below 9 no client is served, and all connections of clients are closed",
        examples=("broker run-level set 3 9 --yes",),
    ),
    Verb(
        "operations list",
        "list work that takes long, or has ended lately",
        "listOperations",
        Form.LIST,
        columns=("id", "action", "target", "state", "done", "total", "failed", "startedAt"),
    ),
    Verb("operations show", "tell how far it is", "getOperation", Form.SHOW, OPERATION),
    Verb("operations stop", "stop it after what it is just doing", "stopOperation", Form.CHANGE, OPERATION),
    Verb(
        "plugins list",
        "list plugins, in the order of their start",
        "listPlugins",
        Form.LIST,
        columns=("id", "state", "startLevel", "stopLevel", "ports", "className"),
    ),
    Verb("plugins show", "tell everything of one plugin", "getPlugin", Form.SHOW, PLUGIN),
    Verb(
        "listeners list",
        "list listeners for clients, and the certificates that they show",
        "listListeners",
        Form.LIST,
        columns=("name", "host", "port", "open", "accepting", "connections", "maxConnections", "tls.notAfter"),
    ),
    Verb("listeners show", "tell everything of one listener", "getListener", Form.SHOW, LISTENER),
    Verb(
        "listeners drain",
        "let no new connections of a listener in; those that are there stay",
        "changeListener",
        Form.CHANGE,
        LISTENER,
        fixed=(("accepting", False),),
    ),
    Verb(
        "listeners open",
        "let new connections of a listener in again",
        "changeListener",
        Form.CHANGE,
        LISTENER,
        fixed=(("accepting", True),),
    ),
    Verb(
        "listeners reload-tls",
        "read the certificates of a listener again, for new connections",
        "reloadTls",
        Form.CHANGE,
        LISTENER,
        examples=("broker listeners reload-tls XMPP --reason renewed",),
    ),
    Verb(
        "properties list",
        "list properties: what each is, where that comes from, and when a change takes effect",
        "listProperties",
        Form.LIST,
        columns=("name", "value", "source", "change", "pending"),
        examples=("broker properties list --changed true",),
    ),
    Verb(
        "properties drift",
        "list the properties that are not what files and command line say",
        "listProperties",
        Form.LIST,
        columns=("name", "value", "source", "change", "pending"),
        fixed=(("drift", "true"),),
    ),
    Verb("properties get", "tell everything of one property", "getProperty", Form.SHOW, PROPERTY),
    Verb(
        "properties set",
        "change a property; refused where that would have no effect",
        "setProperty",
        Form.CHANGE,
        PROPERTY,
        positional=("value",),
        examples=("broker properties set session.timeout 1h --keep --reason 'slow network'",),
    ),
    Verb(
        "properties unset",
        "let a property be again what files and command line say",
        "takeBackProperty",
        Form.CHANGE,
        PROPERTY,
    ),
    Verb("log list", "list the levels of the log", "listLogLevels", Form.LIST, columns=LOG_COLUMNS),
    Verb(
        "log level",
        "change the level of a part of the log, for a while",
        "setLogLevel",
        Form.CHANGE,
        Argument("NAMESPACE", ("namespace",), "a part of the broker, such as broker.core"),
        positional=("level",),
        examples=("broker log level broker.xmpp debug --for 10m",),
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
