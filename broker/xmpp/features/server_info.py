"""Small questions to the server: is it there, what is it, what time is it."""

from __future__ import annotations

import platform
from datetime import UTC, datetime

from broker import __version__
from broker.xmpp.routing.domain import AT_ACCOUNT, AT_DOMAIN, Domain, Iq
from broker.xmpp.wire import ns
from broker.xmpp.wire.errors import Condition, StanzaError
from broker.xmpp.wire.stanza import element


class ServerInfo:
    """Answers pings (XEP-0199), the version (XEP-0092), the time (XEP-0202) and the session request of RFC 3921.

    Args:
        domain: the service.
    """

    def __init__(self, domain: Domain) -> None:
        self._node = domain.node
        self._show_system = domain.settings.show_system
        domain.serve("get", ns.PING, "ping", self._ping, AT_DOMAIN, AT_ACCOUNT)
        domain.serve("get", ns.VERSION, "query", self._version, AT_DOMAIN)
        domain.serve("get", ns.TIME, "time", self._time, AT_DOMAIN)
        domain.serve("set", ns.SESSION, "session", self._session, AT_DOMAIN, AT_ACCOUNT)
        for feature in (ns.PING, ns.VERSION, ns.TIME):
            domain.add_feature(feature, AT_DOMAIN)
        domain.add_feature(ns.PING, AT_ACCOUNT)

    async def _ping(self, request: Iq) -> bytes | None:
        _check_not_of_others(request)
        return None

    async def _version(self, request: Iq) -> bytes | None:
        content = element("name", content="broker") + element("version", content=__version__)
        if self._show_system:  # XEP-0092 §5: it helps attackers, so only where the operator wants it
            content += element("os", content=platform.system())
        return element("query", ns.VERSION, content=content)

    async def _time(self, request: Iq) -> bytes | None:
        now = datetime.fromtimestamp(self._node.seconds(), UTC)
        content = element("tzo", content="+00:00") + element("utc", content=f"{now:%Y-%m-%dT%H:%M:%SZ}")
        return element("time", ns.TIME, content=content)

    async def _session(self, request: Iq) -> bytes | None:
        _check_not_of_others(request)
        return None


def _check_not_of_others(request: Iq) -> None:
    if request.to.local and not request.is_own:
        raise StanzaError(Condition.SERVICE_UNAVAILABLE)
