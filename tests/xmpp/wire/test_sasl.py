"""The server's side of SASL (RFC 6120 §6)."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.xmpp.wire.sasl import (
    ANONYMOUS,
    EXTERNAL,
    PLAIN,
    PLUS,
    SHA_1,
    SHA_256,
    Challenge,
    NeedAccount,
    NeedPassword,
    NeedVerifier,
    Offer,
    SaslFailure,
    Scram,
    Success,
    begin,
    decode,
)

OFFER = Offer("example.org", plain=True)
BOUND = Offer("example.org", bindings={"tls-exporter": b"exporter", "tls-server-end-point": b"hash"})


def verifier(mechanism: str, password: bytes, salt: bytes, iterations: int) -> tuple[bytes, bytes, bytes, int]:
    """What a server keeps of a password (RFC 5802 §3)."""
    name = "sha1" if mechanism == SHA_1 else "sha256"
    salted = hashlib.pbkdf2_hmac(name, password, salt, iterations)
    stored = hashlib.new(name, hmac.digest(salted, b"Client Key", name)).digest()
    return salt, stored, hmac.digest(salted, b"Server Key", name), iterations


def final(mechanism: str, password: bytes, gs2: bytes, bare: bytes, server_first: bytes, binding: bytes = b"") -> bytes:
    """What a client answers to the challenge."""
    name = "sha1" if mechanism == SHA_1 else "sha256"
    fields = dict(part.split(b"=", 1) for part in server_first.split(b","))
    salted = hashlib.pbkdf2_hmac(name, password, base64.b64decode(fields[b"s"]), int(fields[b"i"]))
    without = b"c=" + base64.b64encode(gs2 + binding) + b",r=" + fields[b"r"]
    client_key = hmac.digest(salted, b"Client Key", name)
    message = b",".join((bare, server_first, without))
    signature = hmac.digest(hashlib.new(name, client_key).digest(), message, name)
    proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
    return without + b",p=" + base64.b64encode(proof)


def failure(call: object, *arguments: object) -> str:
    with pytest.raises(SaslFailure) as caught:
        call(*arguments)  # type: ignore[operator]
    return caught.value.condition


class TestScramVectors:
    def test_the_example_of_rfc_5802(self) -> None:
        exchange = Scram(SHA_1, OFFER, "3rfcNHYJY1ZVvWVs7j")
        step = exchange.begin(b"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL")
        assert step == NeedVerifier(SHA_1, "user")
        challenge = exchange.found(*verifier(SHA_1, b"pencil", base64.b64decode("QSXCR+Q6sek8bf92"), 4096))
        assert challenge == Challenge(b"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096")
        success = exchange.respond(
            b"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="
        )
        assert success == Success("user", b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=")

    def test_the_example_of_rfc_7677(self) -> None:
        exchange = Scram(SHA_256, OFFER, "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0")
        exchange.begin(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO")
        exchange.found(*verifier(SHA_256, b"pencil", base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096))
        success = exchange.respond(
            b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
            b"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        )
        assert success == Success("user", b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")


class TestScram:
    @pytest.mark.parametrize("mechanism", [SHA_1, SHA_256])
    @pytest.mark.parametrize("binding", ["", "tls-exporter", "tls-server-end-point"])
    def test_the_right_password_logs_in(self, mechanism: str, binding: str) -> None:
        exchange = Scram(mechanism + PLUS if binding else mechanism, BOUND if binding else OFFER)
        gs2 = f"p={binding},,".encode() if binding else b"n,,"
        assert isinstance(exchange.begin(gs2 + b"n=joe,r=abc"), NeedVerifier)
        challenge = exchange.found(*verifier(mechanism, b"secret", b"salt", 4096))
        assert isinstance(challenge, Challenge)
        data = BOUND.bindings.get(binding, b"")
        step = exchange.respond(final(mechanism, b"secret", gs2, b"n=joe,r=abc", challenge.data, data))
        assert isinstance(step, Success)
        assert step.user == "joe"

    def exchange(self, password: bytes = b"secret", gs2: bytes = b"n,,", bound: bytes = b"") -> str:
        plus = gs2.startswith(b"p=")
        exchange = Scram(SHA_256 + PLUS if plus else SHA_256, BOUND if plus else OFFER)
        exchange.begin(gs2 + b"n=joe,r=abc")
        challenge = exchange.found(*verifier(SHA_256, b"secret", b"salt", 4096))
        assert isinstance(challenge, Challenge)
        return failure(exchange.respond, final(SHA_256, password, gs2, b"n=joe,r=abc", challenge.data, bound))

    def test_a_wrong_password_does_not(self) -> None:
        assert self.exchange(password=b"Secret") == "not-authorized"

    def test_a_client_that_is_bound_to_another_channel_does_not(self) -> None:
        assert self.exchange(gs2=b"p=tls-exporter,,", bound=b"man in the middle") == "not-authorized"

    def test_a_client_that_was_not_told_of_channel_binding_is_refused(self) -> None:
        # RFC 5802 §6: somebody removed the -PLUS mechanisms from the offer
        assert failure(Scram(SHA_256, BOUND).begin, b"y,,n=joe,r=abc") == "not-authorized"

    @pytest.mark.parametrize(
        "message",
        [
            b"",
            b"n,,",
            b"n,,r=abc,n=joe",
            b"n,,m=x,n=joe,r=abc",
            b"n,,n=,r=abc",
            b"n,,n=joe,r=",
            b"n,,n=j=oe,r=abc",
            b"x,,n=joe,r=abc",
            b"p=tls-exporter,,n=joe,r=abc",
            b"n,b=joe,n=joe,r=abc",
            b"\xff",
        ],
    )
    def test_what_is_no_first_message_is_malformed(self, message: bytes) -> None:
        assert failure(Scram(SHA_256, OFFER).respond, message) == "malformed-request"

    def test_nobody_logs_in_as_somebody_else(self) -> None:
        assert failure(Scram(SHA_256, OFFER).begin, b"n,a=jack@example.org,n=joe,r=abc") == "invalid-authzid"
        assert isinstance(Scram(SHA_256, OFFER).begin(b"n,a=joe@example.org,n=joe,r=abc"), NeedVerifier)

    def test_names_are_unescaped(self) -> None:
        assert Scram(SHA_1, OFFER).begin(b"n,,n=a=2Cb=3Dc,r=abc") == NeedVerifier(SHA_1, "a,b=c")

    @given(st.binary(max_size=200), st.binary(max_size=200))
    def test_whatever_comes_logs_nobody_in(self, first: bytes, second: bytes) -> None:
        exchange = Scram(SHA_256, OFFER)
        try:
            if isinstance(exchange.begin(first), NeedVerifier):
                exchange.found(*verifier(SHA_256, b"secret", b"salt", 4096))
            assert not isinstance(exchange.respond(second), Success)
        except SaslFailure as error:
            assert error.condition


class TestOtherMechanisms:
    def test_plain_has_user_and_password(self) -> None:
        assert begin(PLAIN, OFFER).begin(b"\0joe\0secret") == NeedPassword("joe", "secret")
        assert begin(PLAIN, OFFER).begin(b"joe@example.org\0joe\0secret") == NeedPassword("joe", "secret")

    @pytest.mark.parametrize("message", [b"", b"joe", b"\0joe", b"\0\0secret", b"\0joe\0", b"\0a\0b\0c", b"\xff\0a\0b"])
    def test_what_is_no_plain_message_is_malformed(self, message: bytes) -> None:
        assert failure(begin(PLAIN, OFFER).begin, message) == "malformed-request"

    def test_plain_is_for_oneself(self) -> None:
        assert failure(begin(PLAIN, OFFER).begin, b"jack\0joe\0secret") == "invalid-authzid"

    @pytest.mark.parametrize("identity", ["JOE@Example.ORG", "joe@example.org.", "\uff4aoe@example.org"])
    def test_oneself_may_be_written_in_any_form(self, identity: str) -> None:
        # RFC 6120 §6.3.8, RFC 7622 §3
        assert begin(PLAIN, OFFER).begin(f"{identity}\0joe\0secret".encode()) == NeedPassword("joe", "secret")
        first = f"n,a={identity},n=Joe,r=abc".encode()
        assert isinstance(Scram(SHA_256, OFFER).begin(first), NeedVerifier)
        offer = Offer("example.org", certificate=["joe@example.org"])
        assert begin(EXTERNAL, offer).begin(identity.encode()) == NeedAccount("joe")

    @pytest.mark.parametrize("identity", ["joe", "joe@example.org/x", "joe@example.net", "@", "joe@@example.org"])
    def test_what_is_not_ones_own_bare_address_is_refused(self, identity: str) -> None:
        assert failure(begin(PLAIN, OFFER).begin, f"{identity}\0joe\0secret".encode()) == "invalid-authzid"

    def test_a_certificate_proves_one_identity(self) -> None:
        offer = Offer("example.org", certificate=["joe@example.org", "joe@example.net"])
        assert begin(EXTERNAL, offer).begin(b"") == NeedAccount("joe")
        assert begin(EXTERNAL, offer).begin(b"joe@example.org") == NeedAccount("joe")
        assert failure(begin(EXTERNAL, offer).begin, b"jack@example.org") == "not-authorized"

    def test_a_certificate_of_several_identities_needs_a_choice(self) -> None:
        offer = Offer("example.org", certificate=["joe@example.org", "jack@example.org"])
        assert failure(begin(EXTERNAL, offer).begin, b"") == "not-authorized"

    def test_anonymous_is_nobody(self) -> None:
        assert begin(ANONYMOUS, Offer("example.org", anonymous=True)).begin(None) == Success("")

    def test_only_what_is_offered_is_served(self) -> None:
        assert failure(begin, PLAIN, Offer("example.org")) == "invalid-mechanism"
        assert failure(begin, SHA_256 + PLUS, OFFER) == "invalid-mechanism"
        assert Offer("example.org").mechanisms() == [SHA_256, SHA_1]
        assert BOUND.mechanisms() == [SHA_256 + PLUS, SHA_1 + PLUS, SHA_256, SHA_1]


class TestEncoding:
    def test_nothing_and_empty_differ(self) -> None:
        # RFC 6120 §6.4.2
        assert decode("") is None
        assert decode("=") == b""
        assert decode("AGE=") == b"\0a"

    @pytest.mark.parametrize("text", ["A", "AGE", "A GE=", "*", "ä"])
    def test_what_is_not_base64_is_refused(self, text: str) -> None:
        assert failure(decode, text) == "incorrect-encoding"

    def test_so_is_what_is_too_long(self) -> None:
        assert failure(decode, "AAAA" * 10_000) == "malformed-request"
