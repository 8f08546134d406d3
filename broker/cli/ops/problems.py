"""Requests that a broker refuses, and brokers that are not reached: what people are told, and the exit status."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from broker.cli.exit_status import FAILED, NOT_CONNECTED, REFUSED, TIMED_OUT, WRONG_USAGE
from broker.cli.terminal import advise, complain
from broker.cli.transport import PROBLEM_TYPE, Reply
from broker.errors import BrokerError, Code
from broker.model.json_object import object_or_none

ADDRESS_HINT = "Is the broker running? Name its data directory with --data DIR, or its socket with --socket PATH."
CERTIFICATE_HINT = "The certificate must be for the host in --url, and of an authority that is known or in --ca FILE."
CERTIFICATE_MARK = "CERTIFICATE_VERIFY_FAILED"
TOKEN_HINT = (
    "Over a port a token says who you are: --token-file FILE, or BROKER_TOKEN. On the broker's machine its socket needs"
    " none: --data DIR, or --socket PATH."
)
STATUSES = {400: WRONG_USAGE, 401: REFUSED, 403: REFUSED}
"""Exit status by that of HTTP; others that are no success are 1."""


class ProblemError(Exception):
    """A request that was refused.

    Args:
        reply: to it.
    """

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


def succeeded(reply: Reply) -> Reply:
    """A reply to a request that was served.

    Raises:
        ProblemError: it was not.
    """
    if not reply.succeeded:
        raise ProblemError(reply)
    return reply


def exit_status_of(status: int) -> int:
    """The exit status for a status of HTTP that is no success."""
    return STATUSES.get(status, FAILED)


def explained(run: Callable[[], int]) -> int:
    """Run something that asks a broker, and tell people why it came to nothing.

    Returns:
        The exit status.

    Raises:
        BrokerError: it was not the broker, or the way to it, that refused.
    """
    try:
        return run()
    except ProblemError as problem:
        explain(problem.reply)
        return exit_status_of(problem.reply.status)
    except BrokerError as error:
        if error.code == Code.USER_NOT_AUTHORIZED:
            complain(error.message)
            return REFUSED
        if not error.is_communication:
            raise
        complain(error.message)
        if error.code == Code.COMMUNICATION_RESPONSE_TIMEOUT:
            return TIMED_OUT
        if error.code == Code.COMMUNICATION_NO_CONNECTION:
            advise(CERTIFICATE_HINT if CERTIFICATE_MARK in error.message else ADDRESS_HINT)
        return NOT_CONNECTED


def explain(reply: Reply) -> None:
    """Tell people why a request was refused."""
    problem = object_or_none(reply.body) if reply.media_type == PROBLEM_TYPE else None
    if problem is None:
        complain(f"the broker answered with status {reply.status} and no reason")
        return
    detail = _text(problem.get("detail")) or _text(problem.get("title")) or f"status {reply.status}"
    complain(detail)
    errors = problem.get("errors")
    for each in errors if isinstance(errors, list) else ():
        if isinstance(each, dict) and _text(each.get("detail")) not in detail:
            advise(f"  {_text(each.get('pointer'))}: {_text(each.get('detail'))}")
    if reply.status == 401:
        advise(TOKEN_HINT)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
