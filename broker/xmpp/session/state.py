"""What of an XML stream survives a crash, and how much of it is kept (spec xmpp §1.4, §1.8 I3)."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import get_type_hints

from broker.errors import BrokerError, Code
from broker.model.jid import parse_jid, prepare_resource
from broker.model.stored_json import read_object
from broker.xmpp.routing.content import check_presence
from broker.xmpp.wire.sm import MAX_WINDOW
from broker.xmpp.wire.stanza import MAX_TIME


@dataclass(slots=True)
class StreamState:
    """The state of a bound stream.

    Args:
        resource: of the full JID.
        resumable: stream management with resumption is on.
        window: seconds that the stream may be resumed after its connection is lost.
        presence: the last available presence without addresses, as text; empty while unavailable.
        presence_time: when that presence came, milliseconds since 1970; 0 where that is not known.
        priority: of that presence.
        interested: the client asked for its roster and gets pushes.
        carbons: message carbons are on (XEP-0280).
        watches_blocking: the client asked for its block list and gets pushes (XEP-0191).
        directed: JIDs that got directed presence.
    """

    resource: str
    resumable: bool = False
    window: int = 0
    presence: str = ""
    priority: int = 0
    interested: bool = False
    carbons: bool = False
    watches_blocking: bool = False
    directed: list[str] = field(default_factory=list)
    presence_time: int = 0

    @property
    def available(self) -> bool:
        """Whether the client has sent available presence."""
        return bool(self.presence)

    @property
    def takes_messages(self) -> bool:
        """Whether messages to the bare JID are delivered to this resource (RFC 6121 §8.5.2)."""
        return bool(self.presence) and self.priority >= 0

    def to_bytes(self) -> bytes:
        """For the record."""
        return json.dumps(asdict(self), separators=(",", ":")).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> StreamState:
        """From the record.

        Raises:
            BrokerError: ``resource.db.unknown`` where the record is not one of a stream.
        """
        found = read_object(data, _FIELDS, "the record of a stream")
        if "resource" not in found:
            raise BrokerError(Code.RESOURCE_DB_UNKNOWN, "the record of a stream has no resource")
        state = cls(**found)
        if not (
            0 <= state.window <= MAX_WINDOW and -128 <= state.priority <= 127 and 0 <= state.presence_time <= MAX_TIME
        ):
            raise BrokerError(Code.RESOURCE_DB_UNKNOWN, "the record of a stream has a number that none can have")
        if state.presence:
            check_presence(state.presence)
        prepare_resource(state.resource)
        for jid in state.directed:
            parse_jid(jid)
        return state


_FIELDS = get_type_hints(StreamState) | {"directed": list}


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """How much goes out unacknowledged, and how much is kept for a client that is away.

    Args:
        window: stanzas that may be sent and not acknowledged.
        ephemeral: stanzas kept that are of no use to anybody else: presence, answers.
        durable: streams survive a crash.
    """

    window: int = 100
    ephemeral: int = 1000
    durable: bool = True
