"""Attributes of the node (spec xmlblaster §16.1)."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from broker.admin import dump, memory
from broker.admin.attributes import Attributes
from broker.admin.subject import quotas_of
from broker.admin.values import SEPARATOR, date, size, to_number
from broker.config.properties import Properties
from broker.core.broker import Broker
from broker.core.node import Node
from broker.logs.last import LastLines

if TYPE_CHECKING:
    from broker.runlevels.service import RunLevels

PUBLIC = frozenset(
    {
        "freeMem",
        "freeMemStr",
        "instanceId",
        "maxFreeMem",
        "maxFreeMemStr",
        "maxMem",
        "maxMemStr",
        "nodeId",
        "nodeList",
        "numClients",
        "numDeadMessages",
        "numGet",
        "numNodes",
        "numPublish",
        "numSessions",
        "numSubscriptions",
        "numTopics",
        "numUpdate",
        "revisionNumber",
        "runlevel",
        "runlevelName",
        "serverTimestamp",
        "serverTimestampMillis",
        "startupDate",
        "totalMem",
        "totalMemStr",
        "uptime",
        "usedMem",
        "usedMemStr",
        "version",
    }
)
"""What every client may read: numbers that name nobody."""


def node_attributes(
    broker: Broker,
    run_levels: RunLevels,
    request_run_levels: Callable[[Sequence[int]], None],
    properties: Properties,
    version: str,
    last_lines: LastLines,
) -> Attributes[Node]:
    """The attributes of the node.

    Args:
        broker: the core.
        run_levels: of the broker.
        request_run_levels: goes to run levels, one after the other, once the answer is sent.
        properties: the configuration.
        version: of the program.
        last_lines: of its log.
    """

    def change_run_level(_: Node, value: str) -> None:
        request_run_levels([to_number(each, 0) for each in value.split(SEPARATOR)])

    async def collect_garbage(_: Node, argument: str) -> int:
        return gc.collect()

    async def forget_error(_: Node, argument: str) -> None:
        last_lines.error = ""

    async def forget_warning(_: Node, argument: str) -> None:
        last_lines.warning = ""

    sessions = broker.node.sessions
    return Attributes(
        readers={
            "nodeId": lambda node: node.id,
            "instanceId": lambda _: broker.instance_id,
            "version": lambda _: version,
            "revisionNumber": lambda _: version,
            "dump": dump.of_node,
            "runlevel": lambda _: run_levels.level,
            "runlevelName": lambda _: run_levels.name,
            "uptime": lambda node: (node.now() - node.started) // 1000,
            "startupDate": lambda node: date(node.started),
            "serverTimestamp": lambda node: date(node.now()),
            "serverTimestampMillis": lambda node: node.now(),
            "hostname": lambda node: node.host,
            "port": lambda _: next((port for _, _, port in run_levels.ports()), None),
            "ports": lambda _: [f"{name}={host}:{port}" for name, host, port in run_levels.ports()],
            "numNodes": lambda _: 1,
            "nodeList": lambda node: node.id,
            "nodes": lambda node: node.id,
            "numClients": lambda node: len(node.subjects),
            "clientList": lambda node: node.subjects,
            "clients": lambda node: node.subjects,
            "numSessions": lambda _: len(sessions),
            "aliveCallbackClients": lambda _: [
                each.name.relative for each in sessions.values() if each.dispatch.outbound is not None
            ],
            "numTopics": lambda node: len(node.topics),
            "topicList": lambda node: node.topics,
            "topics": lambda node: node.topics,
            "numSubscriptions": lambda node: len(node.subscriptions),
            "subscriptionList": lambda node: node.subscriptions,
            "subscriptions": lambda node: node.subscriptions,
            "numSysprop": lambda _: len(_names(properties)),
            "syspropList": lambda _: _names(properties),
            "numPublish": lambda node: node.total("publish"),
            "numGet": lambda node: node.total("get"),
            "numUpdate": lambda node: node.total("updates", "oneway_updates"),
            "numDeadMessages": lambda _: broker.letters.count,
            "usedMem": lambda _: memory.resident(),
            "freeMem": lambda _: memory.available(),
            "totalMem": lambda _: memory.resident() + memory.available(),
            "maxMem": lambda _: memory.resident() + memory.available(),
            "lastError": lambda _: last_lines.error,
            "lastWarning": lambda _: last_lines.warning,
            "usedMemStr": lambda _: size(memory.resident()),
            "freeMemStr": lambda _: size(memory.available()),
            "totalMemStr": lambda _: size(memory.resident() + memory.available()),
            "maxMemStr": lambda _: size(memory.resident() + memory.available()),
            "maxFreeMem": lambda _: memory.available(),
            "maxFreeMemStr": lambda _: size(memory.available()),
            "quotas": lambda node: "\n".join(
                f"{usage.account}: {' '.join(quotas_of(usage))}" for usage in node.quotas.all()
            ),
            "storeBacklog": lambda node: node.store.backlog,
            "numSetAside": lambda node: node.set_aside.count,
            "setAside": lambda node: "\n".join(map(str, node.set_aside.records)),
            "storeFailure": lambda node: str(node.store.failure or ""),
        },
        writers={"runlevel": change_run_level},
        operations={"gc": collect_garbage, "clearLastError": forget_error, "clearLastWarning": forget_warning},
    )


def _names(properties: Properties) -> list[str]:
    return sorted({setting.name for setting in properties.given()})
