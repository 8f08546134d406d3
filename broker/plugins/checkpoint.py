"""The plugin that writes into the log where messages pass by (spec xmlblaster §16.8, ``admin.checkpoint``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.logger import Logger
from zope.interface import implementer

from broker.admin.checkpoint import CORRELATION, CheckpointStyle
from broker.config.kinds import BOOLEAN, TEXT, listed
from broker.core.message import Message
from broker.core.node import Node
from broker.core.trace import Point
from broker.model.key import INTERNAL_PREFIX
from broker.plugins.ports import Attributes
from broker.ports import IPlugin
from broker.runlevels.service import Direction

CORE_LEVEL = 2
"""From this run level on there is a core."""
POINTS = (Point.PUBLISHED, Point.ACCEPTED, Point.QUEUED, Point.SENT, Point.ACKNOWLEDGED)
NAMESPACE = "xmlBlaster.checkpoint"
_LOGS = {point: Logger(f"{NAMESPACE}.{point}") for point in POINTS}


@implementer(IPlugin)
class CheckpointPlugin:
    """Writes a line for messages at each point, in the namespace ``xmlBlaster.checkpoint.<point>``.

    Attributes in the plugin file (or ``plugin/<id>/<name>`` as a property):

    - ``filterClientPropertyKey`` (wfguid): comma list of properties; messages that have one of them are told, with it.
    - ``showAllMessages`` (false): tell of all messages. The broker's own are never told.
    - ``excludeIfClientPropertyKey`` (none): comma list of properties; messages that have one of them are not told.
    - ``showAllClientProperties`` (false): tell all properties of messages.
    - ``xmlStyle`` (true): ``<cp>publish.ack</cp>``, or else ``[cp=publish.ack]``.

    Args:
        context: the application.
        plugin_id: as in the plugin file.
        attributes: texts of the plugin file.
    """

    requires = ()
    provides = ()
    known_attributes = (
        "filterClientPropertyKey",
        "showAllMessages",
        "excludeIfClientPropertyKey",
        "showAllClientProperties",
        "xmlStyle",
    )

    def __init__(self, context: Any, plugin_id: str, attributes: dict[str, str]) -> None:
        self._context = context
        self._get = Attributes(plugin_id, attributes, self.known_attributes).get
        self._style = CheckpointStyle()
        self._keys: frozenset[str] = frozenset()
        self._excluded: frozenset[str] = frozenset()
        self._every = False
        self._node: Node | None = None
        self._is_running = False

    async def start(self) -> None:
        """Look on, as soon as there is a core.

        Raises:
            BrokerError: ``resource.configuration`` for an attribute that cannot be used.
        """
        get = self._get
        self._keys = frozenset(listed(get("filterClientPropertyKey", TEXT, CORRELATION)))
        self._excluded = frozenset(listed(get("excludeIfClientPropertyKey", TEXT, "")))
        self._every = get("showAllMessages", BOOLEAN, False)
        self._style = CheckpointStyle(
            tuple(self._keys), get("showAllClientProperties", BOOLEAN, False), get("xmlStyle", BOOLEAN, True)
        )
        self._is_running = True
        run_levels = self._context.run_levels
        if run_levels.level >= CORE_LEVEL:
            self._look_on()
        run_levels.add_listener(self._step)

    async def stop(self) -> None:
        """Look on no more."""
        self._is_running = False
        self._look_away()

    def ports(self) -> Sequence[tuple[str, str, int]]:
        """None."""
        return ()

    async def _step(self, level: int, name: str, direction: Direction) -> None:
        if self._is_running and level == CORE_LEVEL and direction is Direction.UP:  # there is another core
            self._look_on()

    def _look_on(self) -> None:
        self._look_away()
        self._node = self._context.broker.node
        self._node.traces.add(self._see)

    def _look_away(self) -> None:
        node, self._node = self._node, None
        if node is not None:
            node.traces.remove(self._see)

    def _see(self, point: Point, message: Message, receiver: str) -> None:
        log = _LOGS.get(point)
        if log is None or message.oid.startswith(INTERNAL_PREFIX):
            return
        names = {each.name for each in message.qos.properties}
        if names & self._excluded or not (self._every or names & self._keys):
            return
        node = self._context.broker.node
        sender = node.session_name(message.qos.sender).relative if message.qos.sender else ""
        log.info("{line}", line=self._style.line(point, message, sender, receiver))
