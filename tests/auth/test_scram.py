from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scramp import ScramMechanism  # type: ignore[import-untyped]

from broker.auth.scram import (
    DEFAULT_ITERATIONS,
    MINIMUM_ITERATIONS,
    Mechanism,
    Verifier,
    make_account,
    make_decoy,
    make_verifier,
)
from broker.errors import BrokerError, Code

FEW = MINIMUM_ITERATIONS


@pytest.mark.parametrize(
    ("mechanism", "salt", "client_first", "server_nonce", "server_first", "client_final", "server_final"),
    [
        pytest.param(
            Mechanism.SHA_1,
            "QSXCR+Q6sek8bf92",
            "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
            "3rfcNHYJY1ZVvWVs7j",
            "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
            "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
            "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
            id="RFC 5802 section 5",
        ),
        pytest.param(
            Mechanism.SHA_256,
            "W22ZaJ0SNY7soEsUEjb6gQ==",
            "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
            "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
            "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
            "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
            id="RFC 7677 section 3",
        ),
    ],
)
def test_a_verifier_serves_the_exchange_of_the_rfc(
    mechanism: Mechanism,
    salt: str,
    client_first: str,
    server_nonce: str,
    server_first: str,
    client_final: str,
    server_final: str,
) -> None:
    verifier = make_verifier(mechanism, "pencil", iterations=4096, salt=base64.b64decode(salt))
    server = ScramMechanism(mechanism.value).make_server(lambda user: verifier.auth_information, s_nonce=server_nonce)

    server.set_client_first(client_first)
    assert server.get_server_first() == server_first
    server.set_client_final(client_final)
    assert server.get_server_final() == server_final


@pytest.mark.parametrize("mechanism", list(Mechanism))
def test_only_the_password_matches(mechanism: Mechanism) -> None:
    verifier = make_verifier(mechanism, "secret", iterations=FEW)

    assert verifier.check("secret")
    assert not verifier.check("Secret")
    assert not verifier.check("")
    assert not verifier.check("secret\0")
    assert not verifier.check("x" * 100_000)


def test_spellings_that_saslprep_makes_equal_are_one_password() -> None:
    assert make_verifier(Mechanism.SHA_256, "I\u00adX\u2168", iterations=FEW).check("IXIX")


@pytest.mark.parametrize("password", ["", "x" * 1025, "bell\a", "unassigned\u0378"])
def test_what_cannot_be_a_password_is_refused_without_being_quoted(password: str) -> None:
    with pytest.raises(BrokerError) as refused:
        make_verifier(Mechanism.SHA_256, password, iterations=FEW)
    assert refused.value.code == Code.USER_ILLEGAL_ARGUMENT
    assert not password or password not in repr(refused.value)


@pytest.mark.parametrize("iterations", [0, 4095, 10_000_001])
def test_too_little_or_too_much_work_is_refused(iterations: int) -> None:
    with pytest.raises(BrokerError) as refused:
        make_verifier(Mechanism.SHA_256, "secret", iterations=iterations)
    assert refused.value.code == Code.USER_ILLEGAL_ARGUMENT


def test_equal_passwords_have_different_verifiers_with_salts_of_16_bytes() -> None:
    one, other = (make_verifier(Mechanism.SHA_1, "secret", iterations=FEW) for _ in range(2))

    assert len(one.salt) == 16
    assert one.salt != other.salt
    assert one.stored_key != other.stored_key


@given(
    st.sampled_from(Mechanism),
    st.integers(FEW, 10_000_000),
    st.binary(min_size=12),
    st.binary(min_size=20),
    st.binary(min_size=20),
)
def test_a_serialized_verifier_is_read_back_as_it_was(
    mechanism: Mechanism, iterations: int, salt: bytes, stored_key: bytes, server_key: bytes
) -> None:
    verifier = Verifier(mechanism, iterations, salt, stored_key, server_key)

    assert Verifier.parse(mechanism, verifier.serialize()) == verifier


@given(st.text())
def test_any_other_text_is_an_error_that_does_not_quote_it(text: str) -> None:
    try:
        Verifier.parse(Mechanism.SHA_1, f"!{text}")
    except BrokerError as error:
        assert error.code == Code.RESOURCE_DB_UNKNOWN
        assert error.message == "A stored SCRAM-SHA-1 verifier cannot be read"
    else:
        raise AssertionError(f"{text!r} was read")


def test_an_account_has_both_verifiers_and_no_password() -> None:
    record = make_account("joe", "secret", created=17)

    assert (record.name, record.created) == ("joe", 17)
    for mechanism, text in ((Mechanism.SHA_1, record.scram_sha_1), (Mechanism.SHA_256, record.scram_sha_256)):
        verifier = Verifier.parse(mechanism, text)
        assert verifier.iterations == DEFAULT_ITERATIONS
        assert verifier.check("secret")
    assert "secret" not in repr(record)


def test_an_account_with_a_bad_name_is_not_made() -> None:
    with pytest.raises(BrokerError, match="does not contain /"):
        make_account("joe/1", "secret", created=0)


def test_a_decoy_looks_like_a_verifier_that_stays_the_same_and_matches_nothing() -> None:
    real = make_verifier(Mechanism.SHA_1, "secret")
    decoy = make_decoy(Mechanism.SHA_1, "nobody", key=b"k")

    assert [len(part) for part in decoy.auth_information[:3]] == [len(part) for part in real.auth_information[:3]]
    assert decoy.iterations == real.iterations
    assert decoy == make_decoy(Mechanism.SHA_1, "nobody", key=b"k")
    assert decoy.salt != make_decoy(Mechanism.SHA_1, "somebody", key=b"k").salt
    assert decoy.salt != make_decoy(Mechanism.SHA_1, "nobody", key=b"other").salt
    assert decoy.salt != make_decoy(Mechanism.SHA_256, "nobody", key=b"k").salt
    assert not decoy.check("secret")


def test_keys_are_not_in_the_representation() -> None:
    verifier = make_verifier(Mechanism.SHA_1, "secret", iterations=FEW)

    assert repr(verifier) == "Verifier(mechanism=<Mechanism.SHA_1: 'SCRAM-SHA-1'>, iterations=4096)"
