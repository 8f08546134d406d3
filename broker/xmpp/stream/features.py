"""What a stream's features name (RFC 6120 §4.3)."""

from __future__ import annotations

from functools import lru_cache

from broker.xmpp.wire import ns, sm
from broker.xmpp.wire.sasl import Offer


def limits(max_stanza: int, idle: int) -> str:
    """What the server puts up with (XEP-0478).

    Args:
        max_stanza: longest stanza in bytes.
        idle: seconds of silence until it disconnects; negative for never.
    """
    silence = f"<idle-seconds>{idle}</idle-seconds>" if idle > 0 else ""
    return f"<limits xmlns='{ns.LIMITS}'><max-bytes>{max_stanza}</max-bytes>{silence}</limits>"


def before_login(offer: Offer, *, tls: bool, tls_required: bool, max_stanza: int, idle: int) -> bytes:
    """The features before the login.

    Args:
        offer: the mechanisms.
        tls: STARTTLS is possible now.
        tls_required: and must come first.
        max_stanza: longest stanza in bytes.
        idle: see :func:`limits`.
    """
    parts: list[str] = []
    if tls:
        parts.append(f"<starttls xmlns='{ns.TLS}'>{'<required/>' if tls_required else ''}</starttls>")
    if not tls_required:
        names = "".join([f"<mechanism>{each}</mechanism>" for each in offer.mechanisms()])
        parts.append(f"<mechanisms xmlns='{ns.SASL}'>{names}</mechanisms>")
        if offer.bindings:  # XEP-0440
            types = "".join([f"<channel-binding type='{each}'/>" for each in offer.bindings])
            parts.append(f"<sasl-channel-binding xmlns='{ns.SASL_CHANNEL_BINDING}'>{types}</sasl-channel-binding>")
    parts.append(limits(max_stanza, idle))
    return "".join(parts).encode()


@lru_cache(8)
def after_login(*, stream_management: bool, max_stanza: int, idle: int, more: tuple[bytes, ...] = ()) -> bytes:
    """The features after the login; they are written once, as all clients of a service get the same.

    Args:
        stream_management: is offered.
        max_stanza: longest stanza in bytes.
        idle: see :func:`limits`.
        more: features of parts of the service.
    """
    parts = [
        f"<bind xmlns='{ns.BIND}'/>",
        f"<session xmlns='{ns.SESSION}'><optional/></session>",
        f"<ver xmlns='{ns.ROSTER_VERSIONING}'/>",
        f"<sub xmlns='{ns.PRE_APPROVAL}'/>",
        f"<csi xmlns='{ns.CSI}'/>",
    ]
    if stream_management:
        parts.append(sm.FEATURE.decode())
    parts.append(limits(max_stanza, idle))
    return "".join(parts).encode() + b"".join(more)
