"""Errors of stanzas and of streams (RFC 6120 §4.9, §8.3)."""

from __future__ import annotations

from enum import StrEnum

from broker.errors import XMPP_CONDITIONS, BrokerError, code_of
from broker.xml.stanza import Stanza
from broker.xml.write import escape, escape_attribute
from broker.xmpp.wire import ns


class Condition(StrEnum):
    """Defined conditions of stanza errors (RFC 6120 §8.3.3)."""

    BAD_REQUEST = "bad-request"
    CONFLICT = "conflict"
    FEATURE_NOT_IMPLEMENTED = "feature-not-implemented"
    FORBIDDEN = "forbidden"
    GONE = "gone"
    INTERNAL_SERVER_ERROR = "internal-server-error"
    ITEM_NOT_FOUND = "item-not-found"
    JID_MALFORMED = "jid-malformed"
    NOT_ACCEPTABLE = "not-acceptable"
    NOT_ALLOWED = "not-allowed"
    NOT_AUTHORIZED = "not-authorized"
    POLICY_VIOLATION = "policy-violation"
    RECIPIENT_UNAVAILABLE = "recipient-unavailable"
    REGISTRATION_REQUIRED = "registration-required"
    REMOTE_SERVER_NOT_FOUND = "remote-server-not-found"
    RESOURCE_CONSTRAINT = "resource-constraint"
    SERVICE_UNAVAILABLE = "service-unavailable"
    SUBSCRIPTION_REQUIRED = "subscription-required"
    UNDEFINED_CONDITION = "undefined-condition"
    UNEXPECTED_REQUEST = "unexpected-request"


_TYPES = {
    Condition.BAD_REQUEST: "modify",
    Condition.FORBIDDEN: "auth",
    Condition.JID_MALFORMED: "modify",
    Condition.NOT_ACCEPTABLE: "modify",
    Condition.NOT_AUTHORIZED: "auth",
    Condition.POLICY_VIOLATION: "modify",
    Condition.RECIPIENT_UNAVAILABLE: "wait",
    Condition.REGISTRATION_REQUIRED: "auth",
    Condition.RESOURCE_CONSTRAINT: "wait",
    Condition.SUBSCRIPTION_REQUIRED: "auth",
    Condition.UNEXPECTED_REQUEST: "wait",
}
"""Error type that goes with a condition; ``cancel`` for the others."""


_CLASSES = {
    Condition.INTERNAL_SERVER_ERROR: "internal",
    Condition.RESOURCE_CONSTRAINT: "resource",
    Condition.SERVICE_UNAVAILABLE: "communication",
    Condition.RECIPIENT_UNAVAILABLE: "communication",
    Condition.REMOTE_SERVER_NOT_FOUND: "communication",
}
"""Conditions that are not the fault of who asks, by what error codes of the broker begin with."""


class StanzaError(Exception):
    """A stanza is refused.

    Args:
        condition: what is wrong.
        text: for the person who reads it; empty for none.
        type: ``auth``, ``cancel``, ``continue``, ``modify`` or ``wait``; by default what the condition suggests.
        extra: an application's own condition, as an element (RFC 6120 §8.3.4).
        by: JID of who refuses it, if it is not the one that it was sent to.
    """

    def __init__(
        self, condition: Condition, text: str = "", *, type: str = "", extra: bytes = b"", by: str = ""
    ) -> None:
        super().__init__(condition, text)
        self.condition = condition
        self.text = text
        self.type = type or _TYPES.get(condition, "cancel")
        self.extra = extra
        self.by = by

    def __str__(self) -> str:
        return f"{self.condition}: {self.text}" if self.text else str(self.condition)

    @property
    def failure_class(self) -> str:
        """What kind of failure it is, as error codes of the broker begin."""
        return _CLASSES.get(self.condition, "user")

    @classmethod
    def of(cls, error: BrokerError) -> StanzaError:
        """The same failure as XMPP calls it."""
        code = code_of(str(error.code))
        type, condition = XMPP_CONDITIONS.get(code, ("cancel", "internal-server-error"))  # type: ignore[call-overload]
        return cls(Condition(condition), error.message, type=type)

    def to_bytes(self) -> bytes:
        """The ``<error/>`` element."""
        by = f" by='{escape_attribute(self.by)}'" if self.by else ""
        text = f"<text xmlns='{ns.STANZAS}' xml:lang='en'>{escape(self.text)}</text>" if self.text else ""
        head = f"<error{by} type='{self.type}'><{self.condition} xmlns='{ns.STANZAS}'/>{text}"
        return b"%b%b</error>" % (head.encode(), self.extra)


def may_be_refused(stanza: Stanza) -> bool:
    """Whether an error may be sent back: never for an error, or the answer to a request (RFC 6120 §8.3.1)."""
    type = stanza.attributes.get("type")
    return type != "error" and not (stanza.name == "iq" and type == "result")


def error_reply(stanza: Stanza, error: StanzaError, from_: str | None = None, to: str | None = None) -> bytes:
    """The stanza that refuses another one.

    Args:
        stanza: that is refused.
        error: why.
        from_: by default the one that it was sent to.
        to: by default its sender.
    """
    attributes = stanza.attributes
    parts = [f"<{stanza.name} type='error'"]
    for name, value in (
        ("id", attributes.get("id")),  # as it was given, and be it empty: the sender looks for it
        ("from", (attributes.get("to") if from_ is None else from_) or None),
        ("to", (attributes.get("from") if to is None else to) or None),
    ):
        if value is not None:
            parts.append(f" {name}='{escape_attribute(value)}'")
    return b"%b>%b</%b>" % ("".join(parts).encode(), error.to_bytes(), stanza.name.encode())


def stream_error(condition: str, text: str = "", extra: bytes = b"", *, content: str = "") -> bytes:
    """A stream error (RFC 6120 §4.9).

    Args:
        condition: of RFC 6120 §4.9.3.
        text: for people.
        extra: an application's own condition, as an element.
        content: of the condition's element; the host, for ``see-other-host`` (RFC 6120 §4.9.3.19).
    """
    words = f"<text xmlns='{ns.STREAM_ERRORS}' xml:lang='en'>{escape(text)}</text>" if text else ""
    end = f">{escape(content)}</{condition}>" if content else "/>"
    head = f"<stream:error><{condition} xmlns='{ns.STREAM_ERRORS}'{end}{words}"
    return b"%b%b</stream:error>" % (head.encode(), extra)
