"""SCRAM verifiers: what is stored instead of a password (RFC 5802 §3, RFC 7677; design D13)."""

from __future__ import annotations

import base64
import hmac
import secrets
from dataclasses import dataclass, field
from enum import StrEnum

from scramp import ScramException, ScramMechanism  # type: ignore[import-untyped]

from broker.auth.names import check_account_name
from broker.errors import BrokerError, Code
from broker.model.base64_text import bytes_or_none
from broker.model.number import whole_or_none
from broker.model.records import AccountRecord

DEFAULT_ITERATIONS = 10_000
"""Rounds of PBKDF2. Clients of SCRAM do them too, small devices among them; RFC 7677 §4 asks for at least 4096."""

MINIMUM_ITERATIONS = 4096
MAXIMUM_ITERATIONS = 10_000_000
SALT_SIZE = 16
_PARTS = 3  # salt and two keys
MAXIMUM_PASSWORD_LENGTH = 1024
"""Characters; a bound on what a peer can make the broker prepare and hash."""


class Mechanism(StrEnum):
    """The hash that a verifier is made with, named like the SASL mechanism that uses it."""

    SHA_1 = "SCRAM-SHA-1"
    SHA_256 = "SCRAM-SHA-256"


@dataclass(frozen=True, slots=True)
class Verifier:
    """What a server keeps of a password for one mechanism (RFC 5802 §3).

    Args:
        mechanism: the hash.
        iterations: rounds of PBKDF2.
        salt: random bytes.
        stored_key: ``H(ClientKey)``, proves the client.
        server_key: proves the server.
    """

    mechanism: Mechanism
    iterations: int
    salt: bytes = field(repr=False)
    stored_key: bytes = field(repr=False)
    server_key: bytes = field(repr=False)

    @classmethod
    def parse(cls, mechanism: Mechanism, text: str) -> Verifier:
        """Read ``iterations$salt$stored key$server key``.

        Raises:
            BrokerError: ``resource.db.unknown`` for a text that :meth:`serialize` cannot have written.
        """
        first, *rest = text.split("$")
        iterations = whole_or_none(first, MINIMUM_ITERATIONS, MAXIMUM_ITERATIONS)
        parts = [part for each in rest if (part := bytes_or_none(each))]
        if iterations is None or len(rest) != _PARTS or len(parts) != _PARTS:
            raise BrokerError(Code.RESOURCE_DB_UNKNOWN, f"A stored {mechanism} verifier cannot be read")
        return cls(mechanism, iterations, *parts)

    def serialize(self) -> str:
        """The text that the store keeps. It is a secret: who has it can try passwords offline."""
        parts = (base64.b64encode(part).decode() for part in (self.salt, self.stored_key, self.server_key))
        return "$".join((str(self.iterations), *parts))

    def check(self, password: str) -> bool:
        """Whether this is the password. Costs all rounds of PBKDF2 unless the text can be nobody's password."""
        try:
            made = make_verifier(self.mechanism, password, iterations=self.iterations, salt=self.salt)
        except BrokerError:
            return False
        return hmac.compare_digest(made.stored_key, self.stored_key)

    @property
    def auth_information(self) -> tuple[bytes, bytes, bytes, int]:
        """``(salt, stored key, server key, iterations)``, which a :class:`scramp.ScramMechanism` server asks for."""
        return self.salt, self.stored_key, self.server_key, self.iterations


def make_verifier(
    mechanism: Mechanism, password: str, *, iterations: int = DEFAULT_ITERATIONS, salt: bytes | None = None
) -> Verifier:
    """Derive a verifier from a password, which is prepared with SASLprep (RFC 4013).

    Args:
        mechanism: the hash.
        password: in clear.
        iterations: rounds of PBKDF2, :data:`MINIMUM_ITERATIONS` to :data:`MAXIMUM_ITERATIONS`.
        salt: fresh random bytes where it is not given.

    Raises:
        BrokerError: ``user.illegalArgument`` where the password is empty, too long or has characters that SASLprep
            forbids, or where the number of iterations is out of range.
    """
    if not password or len(password) > MAXIMUM_PASSWORD_LENGTH:
        raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, f"A password has 1 to {MAXIMUM_PASSWORD_LENGTH} characters")
    if not MINIMUM_ITERATIONS <= iterations <= MAXIMUM_ITERATIONS:
        raise BrokerError(
            Code.USER_ILLEGAL_ARGUMENT, f"SCRAM takes {MINIMUM_ITERATIONS} to {MAXIMUM_ITERATIONS} iterations"
        )
    try:
        made_salt, stored_key, server_key, made_iterations = ScramMechanism(mechanism.value).make_auth_info(
            password, iteration_count=iterations, salt=salt or secrets.token_bytes(SALT_SIZE)
        )
    except ScramException as error:
        raise BrokerError(
            Code.USER_ILLEGAL_ARGUMENT, f"This cannot be a password (RFC 4013): {error.args[0]}"
        ) from None
    return Verifier(mechanism, made_iterations, made_salt, stored_key, server_key)


def make_account(name: str, password: str, *, created: int, iterations: int = DEFAULT_ITERATIONS) -> AccountRecord:
    """Make the record of a new account, or of one that gets a new password.

    Args:
        name: checked by :func:`broker.auth.names.check_account_name`.
        password: in clear; it is not kept.
        created: milliseconds since 1970.
        iterations: rounds of PBKDF2.

    Raises:
        BrokerError: ``user.illegalArgument`` for a name or password that cannot be one.
    """
    return AccountRecord(
        check_account_name(name),
        make_verifier(Mechanism.SHA_1, password, iterations=iterations).serialize(),
        make_verifier(Mechanism.SHA_256, password, iterations=iterations).serialize(),
        created,
        changed=created,
    )


def make_decoy(mechanism: Mechanism, name: str, *, key: bytes, iterations: int = DEFAULT_ITERATIONS) -> Verifier:
    """Make a verifier that no password matches, for a user who does not exist.

    The same name gets the same salt each time, and another one for each mechanism, as a real user would, so that an
    answer does not tell who exists (RFC 5802 §9).

    Args:
        mechanism: the hash.
        name: the unknown user.
        key: secret of the broker.
        iterations: rounds of PBKDF2, the same that real accounts have.
    """

    def draw(use: str) -> bytes:
        return hmac.digest(key, f"{mechanism}\0{use}\0{name}".encode("utf-8", "surrogatepass"), "sha256")

    size = {Mechanism.SHA_1: 20, Mechanism.SHA_256: 32}[mechanism]
    return Verifier(mechanism, iterations, draw("salt")[:SALT_SIZE], draw("stored")[:size], draw("server")[:size])
