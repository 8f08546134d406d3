"""The sequence of keys that shows that requests are of one client (XEP-0124 §15)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping


class KeySequence:
    """Checks the keys of requests in their order.

    Args:
        last: the last key, of a session that goes on after a crash.

    Attributes:
        last: as above; empty where the client uses none.
    """

    __slots__ = ("last",)

    def __init__(self, last: str = "") -> None:
        self.last = last

    def admits(self, attributes: Mapping[str, str]) -> bool:
        """Whether a request may follow on those before; one of a client without keys may.

        Args:
            attributes: of its body.
        """
        key, new = attributes.get("key", ""), attributes.get("newkey", "")
        if self.last:
            digest = hashlib.sha1(key.encode()).hexdigest()
            if not key or not hmac.compare_digest(digest, self.last):
                return False
            self.last = key
        if new:
            self.last = new
        return True
