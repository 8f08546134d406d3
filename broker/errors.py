"""The one catalogue of errors.

Every failure that a peer may see is a :class:`BrokerError` with a :class:`Code`. The codes are those that clients of
the native protocol branch on (spec xmlblaster §16.12); :data:`XMPP_CONDITIONS` says what the same failure is called in
a stanza error (RFC 6120 §8.3.3).
"""

from __future__ import annotations

from enum import StrEnum


class Code(StrEnum):
    """Error codes; clients decide by the prefix (``internal.``, ``resource.``, ``communication.``, ``user.``)."""

    INTERNAL_UNKNOWN = "internal.unknown"
    INTERNAL_ILLEGAL_ARGUMENT = "internal.illegalArgument"
    INTERNAL_NOT_IMPLEMENTED = "internal.notImplemented"
    INTERNAL_ILLEGAL_STATE = "internal.illegalState"

    RESOURCE_EXHAUST = "resource.exhaust"
    RESOURCE_NO_MORE_SPACE = "resource.noMoreSpace"
    RESOURCE_OVERFLOW_BYTES = "resource.overflow.queue.bytes"
    RESOURCE_OVERFLOW_ENTRIES = "resource.overflow.queue.entries"
    RESOURCE_UNAVAILABLE = "resource.unavailable"
    RESOURCE_TEMPORARY_UNAVAILABLE = "resource.temporary.unavailable"
    RESOURCE_DB_UNAVAILABLE = "resource.db.unavailable"
    RESOURCE_DB_UNKNOWN = "resource.db.unknown"
    RESOURCE_ADMIN_UNAVAILABLE = "resource.admin.unavailable"
    RESOURCE_CONFIGURATION = "resource.configuration"
    RESOURCE_CONFIGURATION_PLUGIN_FAILED = "resource.configuration.pluginFailed"
    RESOURCE_CONFIGURATION_XML = "resource.configuration.xml"
    RESOURCE_CONFIGURATION_SSL_SOCKET = "resource.configuration.sslSocket"
    RESOURCE_CONFIGURATION_ADDRESS = "resource.configuration.address"
    RESOURCE_FILE_IO = "resource.fileIO"
    RESOURCE_CLUSTER_NOT_AVAILABLE = "resource.cluster.notAvailable"

    COMMUNICATION = "communication"
    COMMUNICATION_NO_CONNECTION = "communication.noConnection"
    COMMUNICATION_SERVER_DENY = "communication.noConnection.serverDeny"
    COMMUNICATION_NO_CALLBACK_SERVER = "communication.noConnection.callbackServer.notavailable"
    COMMUNICATION_POLLING = "communication.noConnection.polling"
    COMMUNICATION_DEAD = "communication.noConnection.dead"
    COMMUNICATION_TIMEOUT = "communication.timeout"
    COMMUNICATION_RESPONSE_TIMEOUT = "communication.responseTimeout"
    COMMUNICATION_USER_HOLDBACK = "communication.user.holdback"

    USER_WRONG_API_USAGE = "user.wrongApiUsage"
    USER_CONFIGURATION = "user.configuration"
    USER_CONFIGURATION_MAX_SESSION = "user.configuration.maxSession"
    USER_CONFIGURATION_IDENTICAL_CLIENT = "user.configuration.identicalClient"
    USER_CONFIGURATION_NOT_PERSISTABLE = "user.configuration.notPersistable"
    USER_ACCESS_DENIED = "user.security.authentication.accessDenied"
    USER_AUTHENTICATION_ILLEGAL_ARGUMENT = "user.security.authentication.illegalArgument"
    USER_NOT_AUTHORIZED = "user.security.authorization.notAuthorized"
    USER_UPDATE_HOLDBACK = "user.update.holdback"
    USER_UPDATE_DEAD_MESSAGE = "user.update.deadMessage"
    USER_UPDATE_ERROR = "user.update.error"
    USER_UPDATE_INTERNAL_ERROR = "user.update.internalError"
    USER_ILLEGAL_ARGUMENT = "user.illegalArgument"
    USER_MAX_SIZE_EXCEED = "user.maxSizeExceed"
    USER_PUBLISH_READONLY = "user.publish.readonly"
    USER_SUBSCRIBE_ID = "user.subscribe.id"
    USER_SUBSCRIBE_NO_CALLBACK = "user.subscribe.noCallback"
    USER_OID_UNKNOWN = "user.oid.unknown"
    USER_CONNECT_MULTIPLE = "user.connect.multiple"
    USER_NOT_CONNECTED = "user.notConnected"
    USER_PTP_UNKNOWN_DESTINATION = "user.ptp.unknownDestination"
    USER_PTP_DENIED = "user.ptp.denied"
    USER_MESSAGE_INVALID = "user.message.invalid"
    USER_PRECONDITION = "user.precondition"
    USER_QUERY_INVALID = "user.query.invalid"
    USER_QUERY_TYPE_INVALID = "user.query.type.invalid"


XMPP_CONDITIONS: dict[Code, tuple[str, str]] = {
    Code.RESOURCE_EXHAUST: ("wait", "resource-constraint"),
    Code.RESOURCE_OVERFLOW_BYTES: ("wait", "resource-constraint"),
    Code.RESOURCE_OVERFLOW_ENTRIES: ("wait", "resource-constraint"),
    Code.RESOURCE_DB_UNAVAILABLE: ("wait", "internal-server-error"),
    Code.USER_NOT_AUTHORIZED: ("auth", "forbidden"),
    Code.USER_ACCESS_DENIED: ("auth", "not-authorized"),
    Code.USER_ILLEGAL_ARGUMENT: ("modify", "bad-request"),
    Code.USER_MAX_SIZE_EXCEED: ("modify", "not-acceptable"),
    Code.USER_OID_UNKNOWN: ("cancel", "item-not-found"),
    Code.USER_PTP_UNKNOWN_DESTINATION: ("cancel", "service-unavailable"),
    Code.USER_PTP_DENIED: ("cancel", "service-unavailable"),
    Code.USER_PUBLISH_READONLY: ("cancel", "not-allowed"),
    Code.USER_QUERY_INVALID: ("modify", "bad-request"),
    Code.INTERNAL_NOT_IMPLEMENTED: ("cancel", "feature-not-implemented"),
}
"""Code -> (error type, defined condition); anything else is ``("cancel", "internal-server-error")``."""


class BrokerError(Exception):
    """A failure that a peer is told about.

    Args:
        code: what went wrong. A foreign code (from a client's exception) is kept as plain text.
        message: one sentence for the person who reads it, without secrets and without a stack trace.
        location: the part of the broker or the address that refused, e.g. ``/topic/Hello``.
    """

    def __init__(self, code: Code | str, message: str, location: str = "") -> None:
        super().__init__(code, message, location)
        self.code = code
        self.message = message
        self.location = location

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"

    @property
    def is_communication(self) -> bool:
        """Whether a client should retry (the connection failed, not the request)."""
        return str(self.code).startswith("communication")

    @property
    def is_resource(self) -> bool:
        """Whether something was missing that may be there later (the store cannot work, or a limit is reached)."""
        return str(self.code).startswith("resource.")


def code_of(text: str) -> Code | str:
    """The catalogue's code for a peer's text, or the text itself where the catalogue has none."""
    try:
        return Code(text)
    except ValueError:
        return text
