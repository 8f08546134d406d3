"""What a client may ask before it is bound, and what comes next: tables, without a connection (RFC 6120 §5-§7)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from broker.xml.stanza import Stanza
from broker.xmpp.wire import ns

STANZAS = frozenset({"message", "presence", "iq"})


class State(Enum):
    """How far a client is."""

    __hash__ = object.__hash__  # that of Enum is written in Python, and the tables ask for it

    STRANGER = auto()
    SECURING = auto()
    AUTHENTICATING = auto()
    LOGGED_IN = auto()
    BINDING = auto()
    BOUND = auto()


class Asked(Enum):
    """What an element asks for."""

    __hash__ = object.__hash__  # that of Enum is written in Python, and the tables ask for it

    START_TLS = auto()
    AUTHENTICATE = auto()
    RESPOND = auto()
    ABORT = auto()
    OTHER_SASL = auto()
    RESUME = auto()
    MANAGE = auto()
    ACKNOWLEDGE = auto()
    BIND = auto()
    OTHER_BIND = auto()
    SESSION = auto()
    SEND = auto()
    OTHER = auto()


class Step(Enum):
    """What is done."""

    __hash__ = object.__hash__  # that of Enum is written in Python, and the tables ask for it

    START_TLS = auto()
    SECURED = auto()
    AUTHENTICATE = auto()
    RESPOND = auto()
    ABORT = auto()
    CHALLENGED = auto()
    ADMITTED = auto()
    BIND = auto()
    RESUME = auto()
    NOT_BOUND = auto()
    BOUND = auto()
    REFUSE_SASL = auto()
    REFUSE_MANAGEMENT = auto()
    REFUSE_BIND = auto()
    REFUSE_SESSION = auto()
    IGNORE = auto()


@dataclass(frozen=True, slots=True)
class Violation:
    """A stream error.

    Args:
        condition: of RFC 6120 §4.9.3.
        text: for people; ``{name}`` is that of the element.
    """

    condition: str
    text: str


class IllegalTransition(Exception):
    """A step that does not lead anywhere from this state: a mistake of the server's."""


_NAMED = {
    (ns.TLS, "starttls"): Asked.START_TLS,
    (ns.SASL, "auth"): Asked.AUTHENTICATE,
    (ns.SASL, "response"): Asked.RESPOND,
    (ns.SASL, "abort"): Asked.ABORT,
    (ns.SM, "resume"): Asked.RESUME,
    (ns.SM, "enable"): Asked.MANAGE,
    (ns.SM, "r"): Asked.MANAGE,
}
_OTHERS = {ns.SASL: Asked.OTHER_SASL, ns.SM: Asked.ACKNOWLEDGE}

_ANSWERS: dict[State, dict[Asked, Step | Violation]] = {
    State.STRANGER: {
        Asked.START_TLS: Step.START_TLS,
        Asked.AUTHENTICATE: Step.AUTHENTICATE,
        Asked.RESPOND: Step.RESPOND,
        Asked.ABORT: Step.ABORT,
        Asked.OTHER_SASL: Step.REFUSE_SASL,
        Asked.RESUME: Step.REFUSE_MANAGEMENT,  # XEP-0198 §5: not before the login
        Asked.MANAGE: Step.REFUSE_MANAGEMENT,
        Asked.ACKNOWLEDGE: Step.IGNORE,
        Asked.BIND: Violation("not-authorized", "log in first"),
        Asked.OTHER_BIND: Violation("not-authorized", "log in first"),
        Asked.SESSION: Violation("not-authorized", "log in first"),
        Asked.SEND: Violation("not-authorized", "log in first"),
        Asked.OTHER: Violation("unsupported-stanza-type", "<{name}/> is not known before the login"),
    },
    State.LOGGED_IN: {
        Asked.RESUME: Step.RESUME,
        Asked.MANAGE: Step.REFUSE_MANAGEMENT,
        Asked.ACKNOWLEDGE: Step.IGNORE,
        Asked.BIND: Step.BIND,
        Asked.OTHER_BIND: Step.REFUSE_BIND,
        Asked.SESSION: Step.REFUSE_SESSION,
        Asked.SEND: Violation("not-authorized", "bind a resource first"),
    },
}
_NOT_BOUND = Violation("unsupported-stanza-type", "<{name}/> is not known before a resource is bound")

_NEXT = {
    (State.STRANGER, Step.START_TLS): State.SECURING,
    (State.SECURING, Step.SECURED): State.STRANGER,
    (State.STRANGER, Step.AUTHENTICATE): State.AUTHENTICATING,
    (State.STRANGER, Step.RESPOND): State.AUTHENTICATING,
    (State.AUTHENTICATING, Step.CHALLENGED): State.STRANGER,
    (State.AUTHENTICATING, Step.REFUSE_SASL): State.STRANGER,
    (State.AUTHENTICATING, Step.ADMITTED): State.LOGGED_IN,
    (State.LOGGED_IN, Step.BIND): State.BINDING,
    (State.LOGGED_IN, Step.RESUME): State.BINDING,
    (State.BINDING, Step.NOT_BOUND): State.LOGGED_IN,
    (State.BINDING, Step.BOUND): State.BOUND,
}


def asked(stanza: Stanza) -> Asked:
    """What an element asks for, whoever sends it."""
    named = _NAMED.get((stanza.namespace, stanza.name))
    if named is not None:
        return named
    if stanza.namespace != ns.CLIENT or stanza.name not in STANZAS:
        return _OTHERS.get(stanza.namespace, Asked.OTHER)
    if stanza.name == "iq":
        attributes = stanza.attributes
        if stanza.first == (ns.BIND, "bind") and attributes.get("type") in ("get", "set"):
            return Asked.BIND if attributes["type"] == "set" and "id" in attributes else Asked.OTHER_BIND
        if stanza.first == (ns.SESSION, "session"):
            return Asked.SESSION
    return Asked.SEND


class Progress:
    """How far one client is.

    Attributes:
        state: see :class:`State`.
    """

    __slots__ = ("state",)

    def __init__(self) -> None:
        self.state = State.STRANGER

    @property
    def is_admitted(self) -> bool:
        """Whether the client has logged in on this connection."""
        return self.state in (State.LOGGED_IN, State.BINDING, State.BOUND)

    def answer(self, request: Asked) -> Step | Violation:
        """What a request leads to.

        Raises:
            IllegalTransition: nothing is handled in this state, so nobody can have asked.
        """
        answers = _ANSWERS.get(self.state)
        if answers is None:
            raise IllegalTransition(f"{request.name} while {self.state.name}")
        return answers.get(request, _NOT_BOUND)

    def advance(self, step: Step) -> None:
        """A step is done, or begins.

        Raises:
            IllegalTransition: it leads nowhere from this state, which stays.
        """
        following = _NEXT.get((self.state, step))
        if following is None:
            raise IllegalTransition(f"{step.name} while {self.state.name}")
        self.state = following
