"""What a connection manager may ask on a link, and what comes next: tables, without a connection (spec §2)."""

from __future__ import annotations

from enum import Enum, auto

from broker.xmpp.stream.transitions import IllegalTransition, Violation


class State(Enum):
    """How far a link is."""

    NEW = auto()
    """No stream is open: on a new connection, or behind TLS or compression."""
    GREETED = auto()
    """The manager has the features."""
    SECURING = auto()
    IN_FRAMES = auto()
    """What comes is not read here any more."""
    LINKED = auto()
    """The manager has shown that it knows the secret."""
    LEAVING = auto()
    """The server stops: no more clients come, and those that are there are finished with."""
    ENDED = auto()


class Asked(Enum):
    """What a part of a link's stream asks for."""

    OPEN = auto()
    START_TLS = auto()
    COMPRESS = auto()
    HANDSHAKE = auto()
    FRAMES = auto()
    REQUEST = auto()
    ROUTE = auto()
    STANZA = auto()
    LEAVE = auto()
    OTHER = auto()


class Step(Enum):
    """What is done."""

    GREET = auto()
    START_TLS = auto()
    SECURED = auto()
    COMPRESS = auto()
    VERIFY = auto()
    ADMIT = auto()
    FRAMES = auto()
    SERVE = auto()
    DELIVER = auto()
    REFUSE = auto()
    SHUT_DOWN = auto()
    LEAVE = auto()
    IGNORE = auto()


_NAMED = {
    b"starttls": Asked.START_TLS,
    b"compress": Asked.COMPRESS,
    b"handshake": Asked.HANDSHAKE,
    b"frames": Asked.FRAMES,
    b"iq": Asked.REQUEST,
    b"route": Asked.ROUTE,
    b"message": Asked.STANZA,
    b"presence": Asked.STANZA,
    b"stream:error": Asked.LEAVE,
}

_NOT_ALONE = Violation("unsupported-stanza-type", "what clients send stands in <route/>")
_NOT_KNOWN = Violation("unsupported-stanza-type", "that is not known on a link")

_ANSWERS: dict[State, dict[Asked, Step | Violation]] = {
    State.NEW: {
        Asked.OPEN: Step.GREET,
    },
    State.GREETED: {
        Asked.START_TLS: Step.START_TLS,
        Asked.COMPRESS: Step.COMPRESS,
        Asked.HANDSHAKE: Step.VERIFY,
        Asked.REQUEST: Step.REFUSE,
        Asked.ROUTE: Step.REFUSE,
        Asked.STANZA: _NOT_ALONE,
        Asked.LEAVE: Step.LEAVE,
    },
    State.LINKED: {
        Asked.FRAMES: Step.FRAMES,
        Asked.REQUEST: Step.SERVE,
        Asked.ROUTE: Step.DELIVER,
        Asked.STANZA: _NOT_ALONE,
        Asked.LEAVE: Step.LEAVE,
    },
    State.LEAVING: {
        Asked.REQUEST: Step.SERVE,
        Asked.LEAVE: Step.LEAVE,
        Asked.ROUTE: Step.IGNORE,
        Asked.STANZA: Step.IGNORE,
        Asked.OTHER: Step.IGNORE,
    },
}

_NEXT = {
    (State.NEW, Step.GREET): State.GREETED,
    (State.GREETED, Step.START_TLS): State.SECURING,
    (State.SECURING, Step.SECURED): State.NEW,
    (State.GREETED, Step.COMPRESS): State.NEW,
    (State.GREETED, Step.ADMIT): State.LINKED,
    (State.LINKED, Step.FRAMES): State.IN_FRAMES,
    (State.LINKED, Step.SHUT_DOWN): State.LEAVING,
}


def asked(name: bytes) -> Asked:
    """What an element below a link's stream asks for.

    Args:
        name: of the element, as it is written.
    """
    return _NAMED.get(name, Asked.OTHER)


class Progress:
    """How far one link is.

    Attributes:
        state: see :class:`State`.
    """

    __slots__ = ("state",)

    def __init__(self) -> None:
        self.state = State.NEW

    @property
    def is_read(self) -> bool:
        """Whether the next element that comes is for this state."""
        return self.state in _ANSWERS

    @property
    def is_linked(self) -> bool:
        """Whether the manager has shown that it knows the secret."""
        return self.state in (State.LINKED, State.LEAVING)

    def answer(self, request: Asked) -> Step | Violation:
        """What a request leads to.

        Raises:
            IllegalTransition: nothing is read in this state, so nobody can have asked.
        """
        answers = _ANSWERS.get(self.state)
        if answers is None:
            raise IllegalTransition(f"{request.name} while {self.state.name}")
        return answers.get(request, _NOT_KNOWN)

    def advance(self, step: Step) -> None:
        """A step is done, or begins; a link may end at any time.

        Raises:
            IllegalTransition: it leads nowhere from this state, which stays.
        """
        following = State.ENDED if step is Step.LEAVE else _NEXT.get((self.state, step))
        if following is None:
            raise IllegalTransition(f"{step.name} while {self.state.name}")
        self.state = following
