"""Texts with variables of an event, ``$_{eventType}: $_{summary}`` (spec xmlblaster §16.7)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from broker import __version__
from broker.admin.moment import moment
from broker.admin.sinks.details import Details
from broker.admin.values import SEPARATOR
from broker.core.broker import Broker

_VARIABLE = re.compile(r"\$_\{(\w+)\}")
MAX_CLIENTS = 1000
"""Login names in ``$_{clientList}``."""

Value = Callable[[Details], str]


class Variables:
    """Puts values in the place of variables.

    Args:
        broker: the core.
        status: makes the document of ``$_{xml}``.
    """

    def __init__(self, broker: Broker, status: Callable[[], str]) -> None:
        node = broker.node
        self._values: Mapping[str, Value] = {
            "datetime": lambda details: moment(details.at),
            "summary": lambda details: details.summary,
            "description": lambda details: details.description,
            "instanceId": lambda details: broker.instance_id,
            "nodeId": lambda details: details.node,
            "clusterId": lambda details: details.node,
            "eventType": lambda details: details.type,
            "errorCode": lambda details: details.error_code,
            "versionInfo": lambda details: __version__,
            "loginName": lambda details: details.subject,
            "pubSessionId": lambda details: str(details.session or ""),
            "clientList": lambda details: SEPARATOR.join(list(node.subjects)[:MAX_CLIENTS]),
            "xml": lambda details: status(),
        }

    def replace(self, text: str, details: Details) -> str:
        """A text with the values of an event; what is no variable stays as it is."""

        def value(found: re.Match[str]) -> str:
            read = self._values.get(found[1])
            return found[0] if read is None else read(details)

        return _VARIABLE.sub(value, text)
