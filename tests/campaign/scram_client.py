"""The client's side of SCRAM (RFC 5802)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from functools import cache

from broker.auth.scram import Mechanism

_HASHES = {Mechanism.SHA_1: "sha1", Mechanism.SHA_256: "sha256"}


class ScramClient:
    """One login.

    Args:
        mechanism: of the exchange.
        user: without commas or equals signs.
        password: of the user.
        binding: type and data of the channel that the login is bound to; ``None`` for none.
    """

    def __init__(
        self, mechanism: Mechanism, user: str, password: str, binding: tuple[str, bytes] | None = None
    ) -> None:
        type, data = binding or ("", b"")
        self._header = f"p={type},," if type else "n,,"
        self._bound = base64.b64encode(self._header.encode() + data).decode()
        self._hash = _HASHES[mechanism]
        self._password = password
        self._bare = f"n={user},r={secrets.token_hex(12)}"

    def first(self) -> bytes:
        """The first message."""
        return f"{self._header}{self._bare}".encode()

    def final(self, challenge: bytes) -> bytes:
        """The answer to the server's challenge."""
        text = challenge.decode()
        nonce, salt, iterations = (part[2:] for part in text.split(","))
        key = _client_key(self._hash, self._password, base64.b64decode(salt), int(iterations))
        unproved = f"c={self._bound},r={nonce}"
        message = f"{self._bare},{text},{unproved}".encode()
        signature = hmac.digest(hashlib.new(self._hash, key).digest(), message, self._hash)
        proof = bytes(a ^ b for a, b in zip(key, signature, strict=True))
        return f"{unproved},p={base64.b64encode(proof).decode()}".encode()


@cache
def _client_key(name: str, password: str, salt: bytes, iterations: int) -> bytes:
    return hmac.digest(hashlib.pbkdf2_hmac(name, password.encode(), salt, iterations), b"Client Key", name)
