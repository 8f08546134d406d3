"""All loads by name."""

from __future__ import annotations

from collections.abc import Mapping

from bench.drive.amqp import AmqpAbsent, AmqpLoad
from bench.drive.depth import DeepQueue, Population
from bench.drive.held import OutageLoad, PacedLoad
from bench.drive.load import Load
from bench.drive.mqtt import MqttAbsent, MqttLoad
from bench.drive.native import NativeAbsent, NativeLatency, NativeLoad
from bench.drive.relay import RelayLoad
from bench.drive.sessions import ResumeLoad, SessionsLoad
from bench.drive.xmpp import XmppLoad

LOADS: Mapping[str, type[Load]] = {
    "amqp": AmqpLoad,
    "amqp-absent": AmqpAbsent,
    "mqtt": MqttLoad,
    "mqtt-absent": MqttAbsent,
    "deep": DeepQueue,
    "native": NativeLoad,
    "native-latency": NativeLatency,
    "native-absent": NativeAbsent,
    "outages": OutageLoad,
    "paced": PacedLoad,
    "population": Population,
    "relay": RelayLoad,
    "resume": ResumeLoad,
    "sessions": SessionsLoad,
    "xmpp": XmppLoad,
}
