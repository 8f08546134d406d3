from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from passlib import hash as formats  # type: ignore[import-untyped]

from broker.auth.hashes import PasswordHash, read_hash
from tests.auth.support import Logged

FOREIGN = [
    pytest.param("des_crypt", "secret", "yZ24stvIel1j6", id="DES crypt of the old sample file"),
    pytest.param("des_crypt", "secret", "{CRYPT}yZ24stvIel1j6", id="DES crypt as directories write it"),
    pytest.param("bsdi_crypt", "U*U*U*U*", "_J9..CCCCXBrJUJV154M", id="BSDi crypt"),
    pytest.param("md5_crypt", "password", "$1$5pZSV9va$azfrPr6af3Fc7dLblQXVa0", id="MD5 crypt"),
    pytest.param("apr_md5_crypt", "myPassword", "$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/", id="htpasswd -m"),
    pytest.param("ldap_sha1", "password", "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", id="htpasswd -s"),
    pytest.param("ldap_md5", "password", "{MD5}X03MO1qnZdYdgyfeuILPmQ==", id="MD5 of a directory"),
    pytest.param(
        "sha256_crypt",
        "Hello world!",
        "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5",
        id="htpasswd -2",
    ),
    pytest.param(
        "sha512_crypt",
        "Hello world!",
        "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
        id="htpasswd -5",
    ),
    pytest.param(
        "bcrypt",
        "U*U",
        "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        id="htpasswd -B",
    ),
]


@pytest.mark.parametrize(("scheme", "password", "text"), FOREIGN)
def test_hashes_of_other_programs_are_recognised_and_checked(scheme: str, password: str, text: str) -> None:
    stored = read_hash(text)

    assert stored.scheme == scheme
    assert stored.matches(password)
    assert not stored.matches(password[::-1] + "x")


OWN = [
    pytest.param(formats.bcrypt.using(rounds=4), id="bcrypt"),
    pytest.param(formats.bcrypt_sha256.using(rounds=4), id="bcrypt_sha256"),
    pytest.param(formats.argon2.using(time_cost=1, memory_cost=64, parallelism=1), id="argon2"),
    pytest.param(formats.scrypt.using(rounds=4), id="scrypt"),
    pytest.param(formats.pbkdf2_sha1.using(rounds=10), id="pbkdf2_sha1"),
    pytest.param(formats.pbkdf2_sha256.using(rounds=10), id="pbkdf2_sha256"),
    pytest.param(formats.pbkdf2_sha512.using(rounds=10), id="pbkdf2_sha512"),
    pytest.param(formats.sha1_crypt.using(rounds=10), id="sha1_crypt"),
    pytest.param(formats.sha256_crypt.using(rounds=1000), id="sha256_crypt"),
    pytest.param(formats.sha512_crypt.using(rounds=1000), id="sha512_crypt"),
    pytest.param(formats.phpass.using(rounds=7), id="phpass"),
    pytest.param(formats.ldap_salted_md5, id="ldap_salted_md5"),
    pytest.param(formats.ldap_salted_sha1, id="ldap_salted_sha1"),
    pytest.param(formats.ldap_salted_sha256, id="ldap_salted_sha256"),
    pytest.param(formats.ldap_salted_sha512, id="ldap_salted_sha512"),
]


@pytest.mark.parametrize("hasher", OWN)
def test_every_salted_format_is_recognised_and_checked(hasher: type) -> None:
    stored = read_hash(hasher.hash("pässword"))  # type: ignore[attr-defined]

    assert stored.matches("pässword")
    assert not stored.matches("password")


def test_only_eight_characters_count_for_des_crypt() -> None:
    stored = read_hash(formats.des_crypt.hash("12345678"))

    assert stored.matches("12345678 and more")


def test_only_72_bytes_count_for_bcrypt() -> None:
    stored = read_hash(formats.bcrypt.using(rounds=4).hash("x" * 72))

    assert stored.matches("x" * 100)
    assert not stored.matches("x" * 71)


@pytest.mark.parametrize("text", ["", "secret", "sd7aksf1f", "!", "*", "x", "{PLAIN}secret", "0" * 32])
def test_what_is_no_hash_is_not_taken_for_a_password(text: str) -> None:
    with pytest.raises(ValueError, match=r"^the hash is of no known format$"):
        read_hash(text)


@pytest.mark.parametrize("text", ["$6$", "$2b$04$short", "{SSHA}!!!", "$apr1$r31.....$", "$pbkdf2-sha256$1$x$y"])
def test_a_malformed_hash_is_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(ValueError, match=r"(is malformed|is not installed)$") as refused:
        read_hash(text)
    assert text not in str(refused.value)


@pytest.mark.parametrize("password", ["secret\0", "\0", "\ud800"])
def test_a_password_that_cannot_be_compared_as_a_whole_does_not_match_and_is_no_fault_of_the_hash(
    password: str, logged: Logged
) -> None:
    assert not read_hash("yZ24stvIel1j6").matches(password)
    assert logged.events == []


def test_a_hash_that_cannot_be_computed_matches_nothing_and_is_logged_without_its_text(logged: Logged) -> None:
    too_large = "$scrypt$ln=31,r=8,p=1$n9Nay9n7nxMCQKjVes95Dw$m/4Z9ts/Rm57aR213Kni1KsAo73LgUtJ3upa7GBqCsc"

    assert not read_hash(too_large).matches("secret")
    assert logged.of_level("error") == ["A stored scrypt hash cannot be checked"]
    assert "n9Nay9n7nxMCQKjVes95Dw" not in logged.raw


def test_the_hash_is_not_in_the_representation() -> None:
    assert repr(read_hash("yZ24stvIel1j6")) == "PasswordHash(scheme='des_crypt')"


@pytest.mark.filterwarnings("ignore::passlib.exc.PasslibHashWarning")
@given(st.one_of(st.text(), st.from_regex(r"\$(1|5|6|2b|apr1|P|scrypt|sha1)\$[a-z0-9$,=./]*", fullmatch=True)))
def test_any_text_is_a_hash_or_a_value_error(text: str) -> None:
    try:
        stored = read_hash(text)
    except ValueError:
        return
    assert isinstance(stored, PasswordHash)
