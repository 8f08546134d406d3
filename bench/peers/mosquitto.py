"""Mosquitto."""

from __future__ import annotations

import shutil
from pathlib import Path

from bench.peers.debian import free_port, install, installed_version, write_configuration
from bench.process import Process
from bench.system import Running, Settings


class Mosquitto:
    """Mosquitto. With the setting ``persistence=true`` it writes its database now and then, and at its end: what it has
    acknowledged is not on disk at that time, and no setting makes it so.
    """

    name = "mosquitto"

    def prepare(self, scratch: Path) -> None:
        """Install it; anybody may connect."""
        install("mosquitto")

    def version(self) -> str:
        """Version of the package."""
        return installed_version("mosquitto")

    def start(self, directory: Path, settings: Settings) -> Running:
        """Start it in the foreground."""
        port = free_port()
        configuration = directory / "mosquitto.conf"
        persistence = settings.get("persistence", "false")
        write_configuration(
            "mosquitto.conf", configuration, port=port, directory=str(directory), persistence=persistence
        )
        program = shutil.which("mosquitto", path="/usr/local/sbin:/usr/sbin:/usr/local/bin:/usr/bin") or "mosquitto"
        process = Process([program, "-c", str(configuration)], directory / "mosquitto.log", directory)
        process.wait_for_port("127.0.0.1", port)
        return Running(process, {"mqtt": ("127.0.0.1", port)}, directory)
