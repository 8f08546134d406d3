"""What a client says of the messages of one update (spec xmlblaster §2.8: one QoS for each).

The protocol has one exception for all of them. A client that has taken some and not others answers with their states
instead: the id of one that was refused is the exception's code, and its info the text.
"""

from __future__ import annotations

from collections.abc import Sequence

from broker.errors import BrokerError, code_of
from broker.model.qos import StatusQos
from broker.native.codec import read_status_qos, write_status_qos
from broker.native.wire.frames import Frame, FrameError, encode_unit
from broker.native.wire.methods import MAX_CODE, MAX_TEXT

OK = encode_unit(write_status_qos(StatusQos()))
_CLASSES = ("communication.", "internal.", "resource.", "user.")
_MARKS = tuple(each.encode() for each in _CLASSES)


def encode_outcomes(outcomes: Sequence[BrokerError | None]) -> bytes:
    """The body of an answer.

    Args:
        outcomes: of the messages of the update, in order: why one was refused, or ``None``.
    """
    return b"".join(OK if error is None else _refusal(error) for error in outcomes)


def refusals_of(answer: Frame) -> dict[int, BrokerError]:
    """Which messages an answer refuses, by their position in the update; answers that cannot be read refuse none."""
    body = answer.body
    if not any(mark in body for mark in _MARKS):  # nearly always, and nothing is parsed for it
        return {}
    found: dict[int, BrokerError] = {}
    try:
        units = answer.units()
    except FrameError:
        return {}
    for position, unit in enumerate(units):
        try:
            status = read_status_qos(unit.qos)
        except BrokerError:
            continue
        if status.state.startswith(_CLASSES):
            found[position] = BrokerError(code_of(status.state[:MAX_CODE]), status.info[:MAX_TEXT])
    return found


def _refusal(error: BrokerError) -> bytes:
    return encode_unit(write_status_qos(StatusQos(state=str(error.code), info=error.message[:MAX_TEXT])))
