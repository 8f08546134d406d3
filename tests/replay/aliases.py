"""Which of our ids stands for which recorded one, so that recorded requests can be sent to another run."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

CARRIERS = [
    ("session", "sessionId"),
    ("session", "name"),
    ("subscribe", "id"),
    ("key", "oid"),
    ("rcvTimestamp", "nanos"),
]
"""(element, attribute) of answers in which the server says an id of its own making."""

_NODE = re.compile(rb"^/node/[^/]+/")


class Aliases:
    """Ids by the recorded ids; learned from answers and applied to the requests that follow."""

    def __init__(self) -> None:
        self._ours: dict[bytes, bytes] = {}

    def learn(self, recorded: bytes, ours: bytes) -> None:
        """Note the ids of two answers (QoS documents, or empty) to the same request."""
        for carrier in CARRIERS:
            for left, right in zip(_ids(recorded, *carrier), _ids(ours, *carrier), strict=False):
                self._ours[left] = right
                # A session has an absolute and a relative name.
                self._ours[_NODE.sub(b"", left)] = _NODE.sub(b"", right)

    def translate(self, data: bytes) -> bytes:
        """Replace every recorded id by ours, in a header field, QoS, key or content."""
        if not self._ours:
            return data
        longest_first = sorted(self._ours, key=len, reverse=True)
        pattern = re.compile(rb"(?<![\w-])(?:" + b"|".join(map(re.escape, longest_first)) + rb")(?![\w-])")
        return pattern.sub(lambda match: self._ours[match.group()], data)


def _ids(document: bytes, element: str, attribute: str) -> list[bytes]:
    if not document.strip():
        return []
    carriers = ElementTree.fromstring(document.strip()).iter(element)
    return [carrier.get(attribute, "").encode() for carrier in carriers if carrier.get(attribute)]
