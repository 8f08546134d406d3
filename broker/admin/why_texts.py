"""What is said of each reason why a queue waits, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from broker.admin.moment import moment
from broker.core.hindrances import Hindrance, Wait
from broker.runlevels.levels import describe

DELIVERIES = 7
"""The run level at which they begin."""
Params = Mapping[str, str | int | float]


class Waiting(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """A reason why a queue waits.

    Args:
        code: which.
        detail: one sentence.
        what_to_do: about it.
        since: when it began; absent where that is not known.
        params: what the sentence is made of.
    """

    code: Hindrance
    detail: str
    what_to_do: str
    since: str | None = None
    params: dict[str, str | int | float] = {}


def told(wait: Wait) -> Waiting:
    """A reason in words."""
    detail, advice = _TEXTS[wait.code]
    since = moment(wait.since) if wait.since else None
    return Waiting(wait.code, detail(wait.params), advice, since, dict(wait.params))


def _run_level(params: Params) -> str:
    return (
        f"the broker is at run level {params['level']} ({params['name']}); deliveries begin at {describe(DELIVERIES)}"
    )


def _because(text: str) -> Callable[[Params], str]:
    return lambda params: f"{text}: {params['lastError']}" if "lastError" in params else text


def _away(params: Params) -> str:
    text = _because("its client is not connected")(params)
    most = params.get("maxAttempts")
    text += f"; attempt {params['attempts']} of {'any number' if most is None else most}"
    return text + (f", the next in {_seconds(params['nextInSeconds'])}" if "nextInSeconds" in params else "")


def _detached(params: Params) -> str:
    text = _because("the connection of the stream was lost")(params)
    rest = _seconds(params["resumableSeconds"])
    text += f"; it may be resumed for {rest} more, then "
    if "toSubject" not in params:
        return f"{text}its messages go to its account"
    parts = [
        f"{params[name]} {what}"
        for name, what in (
            ("toSubject", "messages go to its account"),
            ("dead", "become dead messages"),
            ("dropped", "are dropped"),
            ("notLookedAt", "more, which are on disk or many, go where they belong"),
        )
        if params[name]
    ]
    return text + (", ".join(parts) or "nothing is lost")


def _unanswered(params: Params) -> str:
    if "entries" in params:
        return f"an update of {params['entries']} messages is not answered; the next goes after it"
    return f"{params['unacked']} stanzas were sent and are not acknowledged{_last_ack(params)}"


def _window(params: Params) -> str:
    return f"{params['unacked']} stanzas of {params['window']} are not acknowledged{_last_ack(params)}"


def _last_ack(params: Params) -> str:
    if "lastAckSeconds" not in params:
        return "; there was no acknowledgement yet"
    return f"; the last acknowledgement came {_seconds(params['lastAckSeconds'])} ago"


def _no_session(params: Params) -> str:
    if not params["sessionCount"]:
        return "there is no session of this login name"
    return f"none of its sessions takes messages to the login name: {params['sessions']}"


def _flowing(params: Params) -> str:
    if not params:
        return "entries leave, or are about to"
    return f"{params['entriesPerSecond']} entries leave in a second; empty in {_seconds(params['emptyInSeconds'])}"


def _seconds(value: str | int | float) -> str:
    return f"{value:.0f} s"


def _says(text: str) -> Callable[[Params], str]:
    return text.format_map


_TEXTS: dict[Hindrance, tuple[Callable[[Params], str], str]] = {
    Hindrance.RUN_LEVEL: (_run_level, "Bring the broker to run level 9."),
    Hindrance.STORE_FAILING: (
        _says("nothing is committed: {reason}"),
        "Make room on the disk, or make the database reachable; the broker goes on by itself.",
    ),
    Hindrance.COMMIT_PENDING: (
        _says("{bytes} bytes of stanzas wait for their commit"),
        "Nothing, unless it lasts: then see whether the disk is slow or the store fails.",
    ),
    Hindrance.ON_DISK: (
        _says("the next entries are being read from disk"),
        "Nothing, unless it lasts: then see whether the disk is slow or the store fails.",
    ),
    Hindrance.HELD_BACK: (
        _says("deliveries are held back by {by}"),
        "Let deliveries run again (dispatcherActive=true) when its client can take them.",
    ),
    Hindrance.NO_RECEIVER: (
        _because("there is nothing that deliveries could go to"),
        "Have the client log in with a callback; or move or delete what waits.",
    ),
    Hindrance.RECEIVER_AWAY: (
        _away,
        "Start the client, or find out why it cannot reach the broker; or move or delete what waits.",
    ),
    Hindrance.RECEIVER_BEING_CALLED: (
        _because("its callback server is being dialled"),
        "See whether the server runs, and whether its address is right and may be reached from here.",
    ),
    Hindrance.TAKEN_OVER: (
        _says("another login took the session over and has not opened its callback yet"),
        "Wait, or disconnect the client; see whether two clients use the same session name.",
    ),
    Hindrance.DETACHED_STREAM: (_detached, "Nothing, or end the session now."),
    Hindrance.UNANSWERED: (
        _unanswered,
        "See what the client does with its messages; disconnect it where it hangs.",
    ),
    Hindrance.WINDOW_FULL: (
        _window,
        "See what the client does with its messages; disconnect it where it hangs, and it may resume.",
    ),
    Hindrance.NOT_READING: (
        _says("its connection takes no more: the client, or the network, reads too slowly"),
        "See whether the client hangs and whether the network is slow; disconnect it where it hangs.",
    ),
    Hindrance.COLLECTING: (
        lambda params: f"messages are collected for {params['remainingSeconds']:.3f} s more (collectTime)",
        "Nothing; its client has asked for that.",
    ),
    Hindrance.STALLED: (
        _says("a ping is overdue"),
        "See whether the client hangs; disconnect it where it does.",
    ),
    Hindrance.LOGIN_BLOCKED: (
        _says("logins of {name} are blocked by an administrator"),
        "Unblock it, or move or delete what waits.",
    ),
    Hindrance.NO_SESSION_TAKES: (
        _no_session,
        "Have a client log in that takes messages to its login name; or move or delete what waits.",
    ),
    Hindrance.FLOWING: (_flowing, "Nothing."),
}
