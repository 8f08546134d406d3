"""The sequence of keys that shows that requests are of one client (XEP-0124 §15)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping


class KeySequence:
    """Checks the keys of requests in their order."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last = ""

    def admits(self, attributes: Mapping[str, str]) -> bool:
        """Whether a request may follow on those before; one of a client without keys may.

        Args:
            attributes: of its body.
        """
        key, new = attributes.get("key", ""), attributes.get("newkey", "")
        if self._last:
            digest = hashlib.sha1(key.encode()).hexdigest()
            if not key or not hmac.compare_digest(digest, self._last):
                return False
            self._last = key
        if new:
            self._last = new
        return True
