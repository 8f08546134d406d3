"""Keys: what names a topic, and what queries topics (spec xmlblaster §3)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

DEFAULT_MIME = "text/plain"

INTERNAL_PREFIX = "__"
COMMAND_PREFIX = "__cmd:"
SYSTEM_PREFIX = "__sys__"
SUBSCRIPTION_PREFIX = "__subId:"
PTP_SUBSCRIPTION = "__subId:PtP"
DEAD_MESSAGE_OID = "__sys__deadMessage"
EVENT_OID = "__sys__Event"
REMOTE_PROPERTIES_OID = "__sys__remoteProperties"
BROADCAST_OID = "__sys__broadcast"
"""Of texts that an administrator sends to clients; there is no such topic."""
REFRESH_OID = "__refresh"


def is_administrative(oid: str) -> bool:
    """Whether an oid names something of the broker itself, and no topic (spec xmlblaster §16.2)."""
    return oid.startswith(COMMAND_PREFIX) or oid == REMOTE_PROPERTIES_OID


def is_system_topic(oid: str) -> bool:
    """Whether an oid names a topic of the broker's own messages, such as dead messages (spec xmlblaster §1.2)."""
    return oid.startswith(SYSTEM_PREFIX)


@dataclass(frozen=True, slots=True)
class Key:
    """The key of a published message.

    Args:
        oid: the topic's name; empty where the publisher leaves the choice to the broker.
        mime: MIME type of the content.
        mime_extended: free version text.
        domain: group for domain queries and cluster routing.
        meta: the child markup as its raw bytes (without the ``<key>`` element itself).
    """

    oid: str
    mime: str = DEFAULT_MIME
    mime_extended: str = ""
    domain: str = ""
    meta: bytes = b""


class QueryKind(Enum):
    """How a query key selects topics."""

    EXACT = "EXACT"
    XPATH = "XPATH"
    DOMAIN = "DOMAIN"
    SUBSCRIPTION = "SUBSCRIPTION"


@dataclass(frozen=True, slots=True)
class Filter:
    """An access filter of a query: only messages that match it are delivered (spec §12.1)."""

    type: str
    query: str
    version: str = "1.0"


@dataclass(frozen=True, slots=True)
class QueryKey:
    """The key of a subscribe, unSubscribe, get or erase.

    Args:
        kind: how topics are selected.
        oid: the topic (EXACT) or the subscription id (SUBSCRIPTION, ``__subId:…``).
        text: the XPath expression (XPATH).
        domain: the domain (DOMAIN).
        filters: filters written inside the key.
    """

    kind: QueryKind
    oid: str = ""
    text: str = ""
    domain: str = ""
    filters: tuple[Filter, ...] = ()

    @property
    def url(self) -> str:
        """The short notation ``exact:Hello``, ``xpath://key``, ``domain:RUGBY``, ``subscriptionId:…`` (spec §3.2)."""
        match self.kind:
            case QueryKind.EXACT:
                return f"exact:{self.oid}"
            case QueryKind.XPATH:
                return f"xpath:{self.text}"
            case QueryKind.DOMAIN:
                return f"domain:{self.domain}"
            case QueryKind.SUBSCRIPTION:
                return f"subscriptionId:{self.oid}"
