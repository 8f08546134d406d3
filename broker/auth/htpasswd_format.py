"""The text of an htpasswd file (spec xmlblaster §13.2): ``user:hash:methods`` a line; no I/O."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field

from broker.auth.authority import MethodRules, parse_method_rules
from broker.auth.hashes import PasswordHash, read_hash
from broker.errors import BrokerError, Code

_EVERYBODY = "*"


@dataclass(frozen=True, slots=True)
class Entry:
    """One user.

    Args:
        any_password: the hash is empty in the file: every password is accepted.
        hash: of the password; ``None`` accepts none (unless ``any_password``).
        rules: what the user may do.
    """

    any_password: bool
    hash: PasswordHash | None
    rules: MethodRules


@dataclass(frozen=True, slots=True)
class Htpasswd:
    """The users of a file.

    Args:
        entries: by user name, or by part of a name.
        fallback: ``*:hash``, for users that the file does not name.
        unchecked: the line ``*``: no password is checked.
        warnings: what an administrator should look at, with line numbers and without secrets.
    """

    entries: Mapping[str, Entry] = field(default_factory=dict)
    fallback: Entry | None = None
    unchecked: bool = False
    warnings: tuple[str, ...] = ()

    def find(self, user: str, *, partial: bool = False) -> Entry | None:
        """The entry for a user: the exact one; else with ``partial`` the longest that begins or ends the name.

        Else the fallback, if there is one.
        """
        exact = self.entries.get(user)
        if exact is not None:
            return exact
        if partial:
            parts = [name for name in self.entries if user.startswith(name) or user.endswith(name)]
            if parts:
                return self.entries[max(parts, key=lambda name: (len(name), name))]
        return self.fallback

    @property
    def decoy(self) -> PasswordHash | None:
        """A hash of the kind that the file uses, to do the same work for users who do not exist."""
        return next((entry.hash for entry in self.entries.values() if entry.hash), None)


def parse_htpasswd(data: bytes) -> Htpasswd:
    """Read a file.

    A hash that cannot be checked locks its user out, with a warning, so that one entry does not lock out all others.

    Raises:
        BrokerError: ``resource.configuration`` with the number of the line that cannot be understood.
    """
    entries: dict[str, Entry] = {}
    fallback: Entry | None = None
    unchecked = False
    warnings: list[str] = []
    for number, raw in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        try:
            line = raw.decode().strip()
            if not line or line.startswith("#"):
                continue
            if line == _EVERYBODY:
                unchecked = True
                warnings.append(f"line {number}: passwords are not checked at all")
                continue
            name, entry, warning = _parse_entry(line)
        except UnicodeDecodeError:
            raise _malformed(number, "is not UTF-8") from None
        except BrokerError as error:
            raise _malformed(number, error.message) from None
        if warning:
            warnings.append(f"line {number}: {warning}")
        if name in entries or (name == _EVERYBODY and fallback is not None):
            raise _malformed(number, f"{name!r} is there twice")
        if name == _EVERYBODY:
            fallback = entry
        else:
            entries[name] = entry
    return Htpasswd(entries, fallback, unchecked, tuple(warnings))


def _parse_entry(line: str) -> tuple[str, Entry, str]:
    """Read ``name:hash`` or ``name:hash:methods``; returns also a warning or an empty text."""
    name, *rest = (part.strip() for part in line.split(":", 2))
    if not rest:
        # Not quoted: a line without a name may be a lone secret.
        raise BrokerError(Code.RESOURCE_CONFIGURATION, "is not of the form user:hash:methods")
    _check_name(name)
    methods = rest[1] if len(rest) > 1 else ""
    # An empty fourth field is written by some tools (``all:hash::``).
    rules = parse_method_rules(methods.rstrip(":"))
    if not rest[0]:
        return name, Entry(True, None, rules), f"{name!r} has no password, every password is accepted"
    try:
        return name, Entry(False, read_hash(rest[0]), rules), ""
    except ValueError as error:
        return name, Entry(False, None, rules), f"{name!r} cannot log in, {error}"


def _check_name(name: str) -> None:
    if not name:
        raise BrokerError(Code.RESOURCE_CONFIGURATION, "has no user name")
    if "/" in name:
        raise BrokerError(Code.RESOURCE_CONFIGURATION, "has a user name with '/'")
    if any(unicodedata.category(character) == "Cc" for character in name):
        raise BrokerError(Code.RESOURCE_CONFIGURATION, "has a user name with control characters")


def _malformed(number: int, reason: str) -> BrokerError:
    return BrokerError(Code.RESOURCE_CONFIGURATION, f"line {number}: {reason}")
