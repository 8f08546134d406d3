"""Memory of credentials that were found right, so that a thousand reconnects do not cost a thousand derivations."""

from __future__ import annotations

import hmac
import secrets
from collections import OrderedDict
from typing import NamedTuple


class _Verified(NamedTuple):
    verifier: str
    digest: bytes


class VerifiedCredentials:
    """A bounded table of the last password that was right for a user.

    Nothing in it helps a reader of a memory dump more than the connections in it do: a password is kept as its HMAC
    under a key that is made anew by each process.

    Args:
        size: users that are remembered; the one not seen for longest is forgotten.
    """

    def __init__(self, size: int = 10_000) -> None:
        self._size = size
        self._key = secrets.token_bytes(32)
        self._table: OrderedDict[str, _Verified] = OrderedDict()

    def __len__(self) -> int:
        return len(self._table)

    def contains(self, name: str, verifier: str, password: str) -> bool:
        """Whether ``password`` was found right for this user and this stored verifier.

        A user whose verifier has changed is forgotten.
        """
        known = self._table.get(name)
        if known is None:
            return False
        if known.verifier != verifier:
            del self._table[name]
            return False
        self._table.move_to_end(name)
        return hmac.compare_digest(known.digest, self._digest(password))

    def add(self, name: str, verifier: str, password: str) -> None:
        """Remember that ``password`` is right for this user and this stored verifier."""
        self._table[name] = _Verified(verifier, self._digest(password))
        self._table.move_to_end(name)
        if len(self._table) > self._size:
            self._table.popitem(last=False)

    def discard(self, name: str) -> None:
        """Forget a user, if known."""
        self._table.pop(name, None)

    def _digest(self, password: str) -> bytes:
        return hmac.digest(self._key, password.encode("utf-8", "surrogatepass"), "sha256")
