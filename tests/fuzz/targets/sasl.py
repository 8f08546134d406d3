"""SASL: any sequence of messages in any mechanism ends in a step or a failure, and only the password lets one in."""

from __future__ import annotations

from broker.auth.scram import Mechanism, make_verifier
from broker.xmpp.wire.sasl import (
    PLUS,
    Challenge,
    NeedAccount,
    NeedPassword,
    NeedVerifier,
    Offer,
    SaslFailure,
    Scram,
    Step,
    Success,
    begin,
    decode,
)
from tests.fuzz.support import Choices, require

CONDITIONS = {
    "incorrect-encoding",
    "invalid-authzid",
    "invalid-mechanism",
    "malformed-request",
    "not-authorized",
}
OFFER = Offer("localhost", {"tls-exporter": b"x" * 32}, plain=True, certificate=["joe@localhost"], anonymous=True)
BARE = Offer("localhost", plain=True)
VERIFIERS = {
    each: make_verifier(each, "secret", iterations=4096, salt=b"0123456789abcdef").auth_information
    for each in Mechanism
}
TOKENS = (
    b"SCRAM-SHA-1",
    b"SCRAM-SHA-256-PLUS",
    b"PLAIN",
    b"EXTERNAL",
    b"n,,n=joe,r=abc",
    b"y,,n=joe,r=abc",
    b"p=tls-exporter,,n=joe,r=abc",
    b"n,a=joe@localhost,n=joe,r=abc",
    b"c=biws,r=abc",
    b",p=AAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    b"=2C",
    b"=3D",
    b"m=x,",
    b"\0joe\0secret",
)


def target(data: bytes) -> None:
    """First byte: the mechanism, and what is offered; then messages behind their lengths."""
    choices = Choices(data)
    offer = choices.pick((OFFER, BARE))
    mechanisms = [*OFFER.mechanisms(), "X"]
    name = choices.pick(mechanisms)
    try:
        exchange = begin(name, offer)
        step = exchange.begin(choices.some(255) if choices.below(2) else None)
        while not isinstance(step, Success):
            step = answered(exchange, step, choices, name)
    except SaslFailure as failure:
        require(failure.condition in CONDITIONS, f"{failure.condition} is no condition")
        return
    require(name in ("PLAIN", "EXTERNAL", "ANONYMOUS"), "nobody can guess a proof")
    try:
        decode(choices.rest().decode("utf-8", "replace"))
    except SaslFailure as failure:
        require(failure.condition in CONDITIONS, f"{failure.condition} is no condition")


def answered(exchange: object, step: Step, choices: Choices, name: str) -> Step:
    """What comes after a step."""
    match step:
        case NeedVerifier(mechanism, _):
            assert isinstance(exchange, Scram)
            require(mechanism == name.removesuffix(PLUS), "another mechanism")
            return exchange.found(*VERIFIERS[Mechanism(mechanism)])
        case NeedPassword(user, password):
            require(user and password, "an empty name or password")
            if password != "secret":
                raise SaslFailure("not-authorized")
            return Success(user)
        case NeedAccount(user):
            require(bool(user), "an empty name")
            return Success(user)
        case Challenge():
            if not choices:
                raise SaslFailure("not-authorized")
            return exchange.respond(choices.some(255))  # type: ignore[attr-defined,no-any-return]
        case Success():
            return step
