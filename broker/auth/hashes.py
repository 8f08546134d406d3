"""Password hashes as htpasswd files have them: the DES crypt of old files and what replaced it (spec xmlblaster §13.2).

``bcrypt``, ``scrypt``, ``argon2`` and ``pbkdf2`` are the ones to make new entries with: they are slow for an attacker,
and they leave the interpreter to the reactor thread while they run.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from passlib.context import CryptContext  # type: ignore[import-untyped]
from passlib.exc import MissingBackendError  # type: ignore[import-untyped]
from twisted.logger import Logger

log = Logger()

# Nothing that is the password itself, and nothing that other texts could be taken for. des_crypt is last because it
# has no mark: any 13 characters of its alphabet are taken for it.
_CONTEXT = CryptContext(
    schemes=[
        "argon2",
        "bcrypt",
        "bcrypt_sha256",
        "scrypt",
        "pbkdf2_sha512",
        "pbkdf2_sha256",
        "pbkdf2_sha1",
        "sha512_crypt",
        "sha256_crypt",
        "sha1_crypt",
        "apr_md5_crypt",
        "md5_crypt",
        "phpass",
        "ldap_salted_sha512",
        "ldap_salted_sha256",
        "ldap_salted_sha1",
        "ldap_sha1",
        "ldap_salted_md5",
        "ldap_md5",
        "bsdi_crypt",
        "des_crypt",
    ]
)
_CRYPT_MARK = "{CRYPT}"
_BCRYPT_SIGNIFICANT_BYTES = 72


@dataclass(frozen=True, slots=True)
class PasswordHash:
    """One stored hash.

    Args:
        scheme: the library's name of its format.
        text: as stored.
    """

    scheme: str
    text: str = field(repr=False)

    def matches(self, password: str) -> bool:
        """Whether this is the password's hash. Takes milliseconds to a second, so not in the reactor thread."""
        try:
            secret = password.encode()
        except UnicodeEncodeError:
            return False
        if b"\0" in secret:
            # Some formats end there; what would be compared is not what was given.
            return False
        if self.scheme == "bcrypt":
            # The format never saw more, but its library refuses what is longer.
            secret = secret[:_BCRYPT_SIGNIFICANT_BYTES]
        try:
            return bool(_CONTEXT.handler(self.scheme).verify(secret, self.text))
        except ValueError:
            # Without the exception's text, which may quote the hash.
            log.error("A stored {scheme} hash cannot be checked", scheme=self.scheme)
            return False


def read_hash(text: str) -> PasswordHash:
    """Recognise a stored hash.

    Raises:
        ValueError: for a text that is no hash of a known format, or one whose library is not installed; says which,
            but does not quote the text.
    """
    text = text.removeprefix(_CRYPT_MARK)
    scheme = _CONTEXT.identify(text)
    if scheme is None:
        raise ValueError("the hash is of no known format")
    hasher: Any = _CONTEXT.handler(scheme)
    try:
        checksum = hasher.from_string(text).checksum
        if hasattr(hasher, "get_backend"):
            hasher.get_backend()
    except MissingBackendError:
        raise ValueError(f"the library for {scheme} hashes is not installed") from None
    except (ValueError, TypeError, LookupError):
        checksum = None
    if not checksum:
        raise ValueError(f"the {scheme} hash is malformed")
    return PasswordHash(scheme, text)
