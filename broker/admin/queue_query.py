"""The options of a query for the entries of a queue (spec xmlblaster §12.4)."""

from __future__ import annotations

from dataclasses import dataclass

from broker.admin.values import to_boolean, to_number
from broker.errors import BrokerError, Code
from broker.model.qos import QueryQos

TYPE = "QueueQuery"
MAX_ENTRIES = 1000
"""Messages in one answer."""
MAX_WAITING = 600_000
"""Longest wait for entries, in milliseconds; also what a wait without end means."""


@dataclass(frozen=True, slots=True)
class QueueQuery:
    """What is wanted of a queue.

    Args:
        entries: most messages.
        consumable: take them out of the queue, rather than look at them.
        waiting: milliseconds to wait for as many.
    """

    entries: int = 1
    consumable: bool = False
    waiting: int = 0


def queue_query_of(argument: str | None, qos: QueryQos) -> QueueQuery:
    """The options of a request.

    Args:
        argument: of the command, a number of entries or options; where it is missing, the QoS is asked.
        qos: of the request, perhaps with a ``<querySpec type='QueueQuery'>``.

    Raises:
        BrokerError: ``user.query.type.invalid`` for a query of another type, ``user.illegalArgument`` for an unknown
            option or value, ``internal.notImplemented`` for a limit in bytes.
    """
    if argument is not None:
        return parse_queue_query(argument)
    if qos.query_spec is None:
        return QueueQuery()
    type, text = qos.query_spec
    if type != TYPE:
        raise BrokerError(Code.USER_QUERY_TYPE_INVALID, f"a query for entries is of type {TYPE}, not '{type[:64]}'")
    return parse_queue_query(text)


def parse_queue_query(text: str) -> QueueQuery:
    """Read ``maxEntries=3&maxSize=-1&consumable=false&waitingDelay=0``, or a bare number of entries.

    Raises:
        BrokerError: see :func:`queue_query_of`.
    """
    text = text.strip()
    if "=" not in text:
        return QueueQuery(_entries(text)) if text else QueueQuery()
    entries, consumable, waiting = 1, False, 0
    for option in text.split("&"):
        name, _, value = (part.strip() for part in option.partition("="))
        match name:
            case "maxEntries":
                entries = _entries(value)
            case "consumable":
                consumable = to_boolean(value)
            case "waitingDelay":
                waiting = to_number(value, -(2**63))
            case "maxSize" | "maxBytes":
                if to_number(value, -(2**63)) >= 0:
                    raise BrokerError(Code.INTERNAL_NOT_IMPLEMENTED, f"{TYPE}: {name} can only be -1")
            case _:
                raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, f"{TYPE}: '{name[:64]}' is no option")
    return QueueQuery(entries, consumable, MAX_WAITING if waiting < 0 else min(waiting, MAX_WAITING))


def _entries(text: str) -> int:
    number = to_number(text, -1)
    return MAX_ENTRIES if number < 0 else min(number, MAX_ENTRIES)
