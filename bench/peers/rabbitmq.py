"""RabbitMQ."""

from __future__ import annotations

from pathlib import Path

from bench.peers.debian import free_port, install, installed_version, write_configuration
from bench.process import Process
from bench.system import Running, Settings

_SERVER = "/usr/lib/rabbitmq/bin/rabbitmq-server"
_PATIENCE = 120.0


class RabbitMq:
    """One node of RabbitMQ with its classic queues, and a port mapper of its own."""

    name = "rabbitmq"

    def prepare(self, scratch: Path) -> None:
        """Install it; its account guest may log in from this machine."""
        install("rabbitmq-server")

    def version(self) -> str:
        """Version of the package."""
        return installed_version("rabbitmq-server")

    def start(self, directory: Path, settings: Settings) -> Running:
        """Start it in the foreground."""
        port, mapper_port, node_port = free_port(), free_port(), free_port()
        write_configuration("rabbitmq.conf", directory / "rabbitmq.conf", port=port)
        (directory / "enabled_plugins").write_text("[].\n")
        environment = {
            "ERL_EPMD_PORT": str(mapper_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "HOME": str(directory),
            "RABBITMQ_NODENAME": "bench@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(port),
            "RABBITMQ_DIST_PORT": str(node_port),
            "RABBITMQ_CONFIG_FILE": str(directory / "rabbitmq"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(directory / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(directory / "mnesia"),
            "RABBITMQ_LOG_BASE": str(directory / "log"),
            "RABBITMQ_PID_FILE": str(directory / "pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        }
        mapper = Process(
            ["epmd", "-port", str(mapper_port), "-address", "127.0.0.1"], directory / "epmd.log", directory, environment
        )
        mapper.wait_for_port("127.0.0.1", mapper_port)
        process = Process([_SERVER], directory / "rabbitmq.log", directory, environment)
        process.wait_for_port("127.0.0.1", port, _PATIENCE)
        return Running(process, {"amqp": ("127.0.0.1", port)}, directory, [mapper])
