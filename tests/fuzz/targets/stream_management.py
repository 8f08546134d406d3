"""Stream management: counters as a model has them, and attributes that are numbers or not."""

from __future__ import annotations

from dataclasses import dataclass

from broker.xmpp.wire import sm
from tests.fuzz.support import Choices, require

NUMBERS = (0, 1, 2, 5, 2**31, 2**32 - 1, 2**32 - 2)
TOKENS = (b"4294967295", b"true", b"-1", "٣".encode(), b"1e3")


@dataclass
class Element:
    """An element of stream management."""

    attributes: dict[str, str]


def target(data: bytes) -> None:
    """Where the counter begins; operations; then the text of an attribute."""
    choices = Choices(data)
    start = choices.pick(NUMBERS)
    unacked: sm.Unacked[int] = sm.Unacked(start)
    model: list[int] = []
    for number in range(choices.below(64)):
        match choices.below(5):
            case 0:
                require(unacked.number(number) == (unacked.acked + len(model) + 1) % sm.MODULUS, "another number")
                model.append(number)
            case 1:
                unacked.advance(choices.below(1 + len(model) - len(unacked)))
            case 2:
                unacked.rewind()
                require(len(unacked) == 0, "it was not rewound")
            case 3:
                acknowledge(unacked, model, choices)
            case 4:
                adopt(unacked, model, choices)
        require(unacked.items() == model, "it is not what the model has")
        require(len(unacked) <= len(model), "more was sent than has a number")
        require(unacked.sent == (unacked.acked + len(unacked)) % sm.MODULUS, "the counters do not fit")
    element(choices.rest().decode("utf-8", "replace"))


def acknowledge(unacked: sm.Unacked[int], model: list[int], choices: Choices) -> None:
    """Acknowledge a number near the counter, or any."""
    ahead = choices.below(8) if choices.below(2) else choices.pick(NUMBERS)
    strict = choices.below(2) == 1
    h = (unacked.acked + ahead) % sm.MODULUS
    sent = len(unacked)
    try:
        done = unacked.acknowledge(h, strict=strict)
    except sm.TooHigh:
        require(sent < ahead < sm.MODULUS // 2, "refused as too high, and is not")
        return
    except sm.TooLow:
        require(strict and ahead >= sm.MODULUS // 2, "refused as a step back, and is none")
        return
    if ahead <= sent:
        require(done == model[:ahead], "others were acknowledged")
        del model[:ahead]
    else:
        require(not done and not strict, "more was acknowledged than was sent")


def adopt(unacked: sm.Unacked[int], model: list[int], choices: Choices) -> None:
    """Begin anew."""
    h, logged, bound = choices.pick(NUMBERS), choices.pick((None, *NUMBERS)), choices.below(8)
    try:
        unacked.adopt(h, logged, bound)
    except sm.TooHigh:
        return
    model.clear()
    require(unacked.acked == h, "it began elsewhere")


def element(text: str) -> None:
    """Attributes are read, or are not what they should be."""
    for name in ("h", "max", "resume"):
        attributes = Element({name: text})
        counter, window = sm.counter_of(attributes), sm.wanted_window(attributes)
        require(counter is None or 0 <= counter < sm.MODULUS, f"{counter} is no counter")
        require(window is None or 0 <= window < 10**10, f"{window} is no window")
        require(sm.wants_resumption(attributes) in (True, False, None), "not to be told")
