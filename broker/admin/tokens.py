"""Tokens of programs that administer: each has a role of its own, at most that of its owner (operations §1.3)."""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from broker.admin.roles import Role, role_of
from broker.core.documents import Documents
from broker.errors import BrokerError, Code
from broker.model.records import DocumentRecord
from broker.model.stored_json import read_object

KIND = "admin.tokens"
"""Of the documents that tokens are; they are their owner's, and go with the account."""
PREFIX = "brk"
SECRET_BYTES = 32
ID_BYTES = 6
HOUR = 3_600_000
MAX_OF_OWNER = 100
_FIELDS = {"name": str, "role": str, "hash": str, "created": int, "used": int}
_NO_HASH = sha256(b"").hexdigest()


@dataclass(slots=True)
class Token:
    """A token without its secret.

    Args:
        id: of it.
        owner: login name.
        name: that its owner has given it.
        role: that it has at most.
        hash: of the secret, SHA-256 in hexadecimal.
        created: milliseconds since 1970.
        expires: likewise; 0 never.
        used: hour in which it was used last, likewise; 0 for never.
    """

    id: str
    owner: str
    name: str
    role: Role
    hash: str
    created: int
    expires: int
    used: int = 0


class Tokens:
    """All tokens, in memory and in the store.

    Args:
        documents: where they are kept.
        now: milliseconds since 1970.
    """

    def __init__(self, documents: Documents, now: Callable[[], int]) -> None:
        self._documents = documents
        self._now = now
        self._tokens: dict[str, Token] = {}

    async def load(self) -> None:
        """Read them out of the store."""
        for record in await self._documents.read("", KIND):
            token = self._documents.readable(record, _read)
            if token is not None:
                self._tokens[token.id] = token

    def __len__(self) -> int:
        """How many are in memory, also of those that have expired."""
        return len(self._tokens)

    def of(self, owner: str | None) -> list[Token]:
        """The tokens of a login name, or of all, by their ids; without those that have expired."""
        found = [each for each in self._tokens.values() if owner in (None, each.owner) and not self._is_over(each)]
        return sorted(found, key=lambda each: (each.owner, each.id))

    def make(self, owner: str, name: str, role: Role, expires: int) -> tuple[str, Token]:
        """Make a token.

        Args:
            owner: login name.
            name: for people.
            role: that it has at most.
            expires: milliseconds since 1970; 0 never.

        Returns:
            Its text, which is not kept, and what is.

        Raises:
            BrokerError: ``resource.exhaust`` where the owner has too many.
        """
        for over in [each for each in self._tokens.values() if each.owner == owner and self._is_over(each)]:
            self.revoke(over)
        if len(self.of(owner)) >= MAX_OF_OWNER:
            raise BrokerError(Code.RESOURCE_EXHAUST, f"{owner} has {MAX_OF_OWNER} tokens already")
        id, secret = secrets.token_hex(ID_BYTES), secrets.token_urlsafe(SECRET_BYTES)
        token = Token(id, owner, name, role, _hash(secret), self._now(), expires)
        self._tokens[id] = token
        self._save(token)
        return f"{PREFIX}_{id}_{secret}", token

    def find(self, text: str) -> Token | None:
        """The token that a text is, unless it has expired; in a time that tells nothing of those that there are.

        Args:
            text: as a program sends it.
        """
        prefix, _, rest = text.partition("_")
        id, _, secret = rest.partition("_")
        token = self._tokens.get(id)
        is_right = hmac.compare_digest(_hash(secret), _NO_HASH if token is None else token.hash)
        if token is None or not is_right or prefix != PREFIX or self._is_over(token):
            return None
        hour = self._now() // HOUR * HOUR
        if token.used != hour:
            token.used = hour
            self._save(token)
        return token

    def revoke(self, token: Token) -> None:
        """End a token."""
        if self._tokens.pop(token.id, None) is not None:
            self._documents.delete(token.owner, KIND, token.id)

    def revoke_where(self, is_altered: Callable[[str], bool]) -> None:
        """End the tokens of accounts that have another password, or are no more.

        Args:
            is_altered: tells whether a login name is one of these.
        """
        for token in [each for each in self._tokens.values() if is_altered(each.owner)]:
            self.revoke(token)

    def revoke_above(self, owner: str, role: Role) -> None:
        """End the tokens of a login name that have more than the role that it has now."""
        for token in [each for each in self._tokens.values() if each.owner == owner and each.role > role]:
            self.revoke(token)

    def _is_over(self, token: Token) -> bool:
        return 0 < token.expires <= self._now()

    def _save(self, token: Token) -> None:
        fields = {"name": token.name, "role": token.role.label, "hash": token.hash, "created": token.created}
        data = json.dumps({**fields, "used": token.used}).encode()
        self._documents.put(token.owner, KIND, token.id, data, token.expires)


def _hash(secret: str) -> str:
    return sha256(secret.encode("utf-8", "replace")).hexdigest()


def _read(record: DocumentRecord) -> Token:
    fields = read_object(record.data, _FIELDS, f"token {record.name}")
    role = role_of(fields.get("role", ""))
    if not role or not fields.get("hash"):
        raise BrokerError(Code.RESOURCE_DB_UNKNOWN, f"token {record.name} has no role or no hash")
    return Token(
        record.name,
        record.owner,
        fields.get("name", ""),
        role,
        fields["hash"],
        fields.get("created", 0),
        record.expires,
        fields.get("used", 0),
    )
