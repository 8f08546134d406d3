"""Makes ``twistd broker-manager`` known to Twisted; the options and the service are in :mod:`broker.manager.tap`."""

from __future__ import annotations

from twisted.application.service import ServiceMaker

broker_manager = ServiceMaker(
    "broker-manager",
    "broker.manager.tap",
    "A connection manager for XMPP clients.",
    "broker-manager",
)
