"""Errors of publish-subscribe (XEP-0060 §18)."""

from __future__ import annotations

from broker.xmpp.wire import ns
from broker.xmpp.wire.errors import Condition, StanzaError
from broker.xmpp.wire.stanza import element


def refused(condition: Condition, specific: str = "", text: str = "", *, feature: str = "") -> StanzaError:
    """An error with the condition of publish-subscribe that goes with it.

    Args:
        condition: of the stanza error.
        specific: of XEP-0060; empty for none.
        text: for people.
        feature: what is not supported.
    """
    extra = element(specific, ns.PUBSUB_ERRORS, {"feature": feature or None}) if specific else b""
    return StanzaError(condition, text, extra=extra)


def unsupported(feature: str) -> StanzaError:
    """A part of XEP-0060 that is not served."""
    return refused(Condition.FEATURE_NOT_IMPLEMENTED, "unsupported", feature=feature)
