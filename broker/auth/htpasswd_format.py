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

    def alters(self, before: Htpasswd, user: str, *, partial: bool = False) -> bool:
        """Whether a user who could log in by another version of the file has another password here, or none.

        Args:
            before: the other version.
            user: login name.
            partial: as in :meth:`find`.
        """
        if self.unchecked:
            return False
        known, now = before.find(user, partial=partial), self.find(user, partial=partial)
        if now is None or known is None:
            return now is None and (known is not None or before.unchecked)
        return (known.any_password, known.hash) != (now.any_password, now.hash)

    @property
    def decoy(self) -> PasswordHash | None:
        """A hash of the kind that the file uses, to do the same work for users who do not exist."""
        return next((entry.hash for entry in self.entries.values() if entry.hash), None)


def parse_htpasswd(data: bytes) -> Htpasswd:
    """Read a file.

    A line that cannot be understood is left out, with a warning, so that one line does not lock out everybody. Where
    its name can be read, that user is locked out: the fallback would give more than the line was to give.
    """
    entries: dict[str, Entry] = {}
    unchecked = False
    warnings: list[str] = []
    for number, raw in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        try:
            line = raw.decode().strip()
        except UnicodeDecodeError:
            warnings.append(f"line {number}: is not UTF-8, it is left out")
            continue
        if not line or line.startswith("#"):
            continue
        if line == _EVERYBODY:
            unchecked = True
            warnings.append(f"line {number}: passwords are not checked at all")
            continue
        try:
            name, entry, warning = _parse_entry(line)
        except BrokerError as error:
            warnings.append(f"line {number}: {error.message}, it is left out")
            continue
        if warning:
            warnings.append(f"line {number}: {warning}")
        if name in entries:
            warnings.append(f"line {number}: {name!r} is there twice, the first one counts")
            continue
        entries[name] = entry
    fallback = entries.pop(_EVERYBODY, None)
    return Htpasswd(entries, fallback, unchecked, tuple(warnings))


def _parse_entry(line: str) -> tuple[str, Entry, str]:
    """Read ``name:hash`` or ``name:hash:methods``; returns also a warning or an empty text.

    Raises:
        BrokerError: ``resource.configuration`` where the line has no name that could be locked out.
    """
    name, *rest = (part.strip() for part in line.split(":", 2))
    if not rest:
        # Not quoted: a line without a name may be a lone secret.
        raise BrokerError(Code.RESOURCE_CONFIGURATION, "is not of the form user:hash:methods")
    _check_name(name)
    methods = rest[1] if len(rest) > 1 else ""
    try:
        # An empty fourth field is written by some tools (``all:hash::``).
        rules = parse_method_rules(methods.rstrip(":"))
    except BrokerError as error:
        return name, Entry(False, None, MethodRules()), f"{name!r} cannot log in, {error.message}"
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
