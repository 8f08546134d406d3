"""Makes ``twistd broker`` known to Twisted; the options and the service are in :mod:`broker.tap`."""

from __future__ import annotations

from twisted.application.service import ServiceMaker

broker = ServiceMaker("broker", "broker.tap", "A durable XML message broker.", "broker")
