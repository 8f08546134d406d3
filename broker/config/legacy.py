"""Properties of xmlBlaster that this broker accepts and does not use (spec xmlblaster §10, §11, §13, §15, §16).

A configuration that an administrator brings along is to start without a flood of warnings, and without the belief that
everything in it still works. What is declared in :mod:`broker.config.options` wins over this table.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

from broker.model.plugin import is_chosen

PLUGIN_PREFIX = "plugin/"

_JAVA = "concerns the Java runtime"
_STORE = "all state is kept in the one store that db.url names"
_THREADS = "deliveries need no threads"
_LISTENER = "listeners are configured by the plugin file"
_CLIENT = "concerns clients"
_CLUSTER = "this broker does not join a cluster of xmlBlaster"
_MONITOR = "administration has its own plugins"
_LOGGING = "the log is configured by the properties log.*"
_SECURITY = "authentication is configured by auth/ properties"
_EVENTS = "replaced by events"
_FILTERS = "filters are built in"
_BRACKETS = "a table that no part of this broker reads"

_TABLE: tuple[tuple[str, str], ...] = (
    # (pattern of names, reason)
    ("queue/connection/*", _CLIENT),
    ("dispatch/connection/*", _CLIENT),
    ("client.protocol", _CLIENT),
    ("protocol", _CLIENT),
    ("session.name", _CLIENT),
    ("passwd", _CLIENT),
    ("loginName", _CLIENT),
    ("xmlBlaster/XmlScript/*", _CLIENT),
    ("queue/history/onOverflow", "a full history always drops its oldest entry"),
    ("queue/*defaultPlugin", _STORE),
    ("queue/*type", _STORE),
    ("queue/*version", _STORE),
    ("queue/*SwapLevel", _STORE),
    ("queue/*SwapBytes", _STORE),
    ("queue/*transientQueue", _STORE),
    ("queue/*persistentQueue", _STORE),
    ("queue/*onFailure", "a failure always ends in a dead message"),
    ("queue/*expires", "messages expire, queues do not"),
    ("queue/*debug", _LOGGING),
    ("QueuePlugin/*", _STORE),
    ("StoragePlugin/*", _STORE),
    ("persistence/topicStore/*", _STORE),
    ("persistence/msgUnitStore/*", _STORE),
    ("persistence/*defaultPlugin", _STORE),
    ("persistence/*type", _STORE),
    ("persistence/*version", _STORE),
    ("persistence/*maxBytes", _STORE),
    ("persistence/*maxBytesCache", _STORE),
    ("persistence/*SwapLevel", _STORE),
    ("persistence/*SwapBytes", _STORE),
    ("persistence/*onOverflow", "more sessions or subscriptions are refused"),
    ("persistence/*onFailure", _STORE),
    ("persistence/*debug", _LOGGING),
    ("useTopicStore", _STORE),
    ("wipeOutJdbcDB", _STORE),
    ("JdbcDriver.*", _STORE),
    ("JdbcPool.*", _STORE),
    ("xmlBlaster/checkForDuplicateSubscriptions", "a subscription is stored once"),
    ("dispatch/callback/*", "clients choose how they are called back; threads are not needed"),
    ("dispatch/logRetryEveryMillis", _THREADS),
    ("DispatchPlugin/*", "there is no dispatch plugin"),
    ("PriorizedDispatchPlugin*", "dispatch plugins are not supported"),
    ("MsgDistributorPlugin/*", "there is one distributor: each subscriber gets each message"),
    ("MimePublishPlugin.*", _FILTERS),
    ("engine.mime.*", _FILTERS),
    ("bootstrapHostname", _LISTENER),
    ("bootstrapPort", _LISTENER),
    ("hostname", _LISTENER),
    ("port", _LISTENER),
    ("http.backlog", _LISTENER),
    ("cluster", _CLUSTER),
    ("cluster.*", _CLUSTER),
    ("cluster/*", _CLUSTER),
    ("Security.*", _SECURITY),
    ("securityQos/*", _SECURITY),
    ("ldap.*", _SECURITY),
    ("loginEvent", _EVENTS),
    ("logoutEvent", _EVENTS),
    ("userListEvent", _EVENTS),
    ("admin", _MONITOR),
    ("admin.*", _MONITOR),
    ("xmlBlaster/admin/*", _MONITOR),
    ("xmlBlaster/monitor/*", _MONITOR),
    ("xmlBlaster/jmx/*", _MONITOR),
    ("xmlBlaster/peekMessages/*", _MONITOR),
    ("xmlBlaster/stdoutStderrToLogging", _LOGGING),
    ("XmlBlasterException.*", _LOGGING),
    ("logging", _LOGGING),
    ("logging/*", _LOGGING),
    ("logFile*", _LOGGING),
    ("property.verbose", _LOGGING),
    ("propertyFile", "the file is named by --config"),
    ("pluginsFile", "the file is named by --plugins"),
    ("useKeyboard", "there is no console; the command line administers a running broker"),
    ("useSignalCatcher", "SIGTERM always ends the broker orderly"),
    ("xmlBlaster.exit.delay", "the broker ends as soon as it has stopped"),
    ("xmlBlaster/panicErrorCodes", _JAVA),
    ("xmlBlaster/sleepOnStartup", _JAVA),
    ("xmlBlaster/topicDom/*", "key trees are kept in memory as they came"),
    ("xmlBlaster/allowDynamicPlugins", "plugins are never loaded from messages"),
    ("xmlBlaster/useSessionMarker", "names are written without a marker"),
    ("xmlBlaster/acceptWrongSenderAddress*", "a sender is always the session that sent"),
    ("classloader.*", _JAVA),
    ("xmlBlaster.*", _JAVA),
    ("java.*", _JAVA),
    ("com.sun.*", _JAVA),
    ("javax.*", _JAVA),
)
_DEFAULT_PLUGINS = (
    ("*DispatchPlugin/defaultPlugin", "there is no dispatch plugin here"),
    ("*MsgDistributorPlugin/defaultPlugin", "there is no message distributor of another kind here"),
)
_INDEXED = re.compile(r"([^\[\]]+)(?:\[[^\[\]]*\])+")


def reason_without_effect(name: str) -> str:
    """Why a property of xmlBlaster has no effect here; empty where xmlBlaster has no such property either."""
    for pattern, reason in _TABLE:
        if fnmatchcase(name, pattern):
            return reason
    return _BRACKETS if indexed_name(name) else ""


def why_refused(name: str, value: str) -> str:
    """Why a broker with this property must not start; empty for any other property.

    What it asks for decides who gets which messages, so it must not be left out without a word. Classes that are only
    named for others to choose (``DispatchPlugin[Priority][1.0]``) do nothing by themselves; who chooses one is refused.

    Args:
        name: without the node.
        value: its text.
    """
    if indexed_name(name) == "MimePublishPlugin":
        return "there are no publish filters here, so nothing would be checked"
    if is_chosen(value):
        for pattern, reason in _DEFAULT_PLUGINS:
            if fnmatchcase(name, pattern):
                return reason
    return ""


def indexed_name(name: str) -> str:
    """The ``name`` of ``name[index]``; empty where a property has no index."""
    match = _INDEXED.fullmatch(name)
    return match[1] if match else ""
