"""Prosody."""

from __future__ import annotations

from pathlib import Path

from bench.certificate import write_certificate
from bench.peers.accounts import more_accounts
from bench.peers.debian import free_port, install, installed_version, write_configuration
from bench.process import Process
from bench.system import Running, Settings


class Prosody:
    """Prosody with its own files as storage.

    Args:
        accounts: names and passwords.
    """

    name = "prosody"

    def __init__(self, accounts: dict[str, str]) -> None:
        self._accounts = accounts

    def prepare(self, scratch: Path) -> None:
        """Install it; its accounts are files that every case writes."""
        install("prosody")
        install("lua-sec")  # TLS, which is only recommended to go with it

    def version(self) -> str:
        """Version of the package."""
        return installed_version("prosody")

    def start(self, directory: Path, settings: Settings) -> Running:
        """Start it in the foreground. Settings: ``tls``, ``hashed`` passwords, more ``accounts``."""
        folder = directory / "data" / "localhost" / "accounts"
        folder.mkdir(parents=True)
        for name, password in more_accounts(self._accounts, settings).items():
            (folder / f"{name}.dat").write_text(f'return {{ ["password"] = "{password}"; }};\n')
        certificate, key = directory / "localhost.crt", directory / "localhost.key"
        more = ""
        if "tls" in settings:
            more = ', "tls"'
            write_certificate(certificate, key)
        port = free_port()
        configuration = directory / "prosody.cfg.lua"
        write_configuration(
            "prosody.cfg.lua",
            configuration,
            directory=str(directory),
            port=port,
            more=more,
            authentication="internal_hashed" if "hashed" in settings else "internal_plain",
            certificate=str(certificate),
            key=str(key),
        )
        process = Process(["prosody", "--config", str(configuration), "-F"], directory / "prosody.log", directory)
        process.wait_for_port("127.0.0.1", port)
        return Running(process, {"xmpp": ("127.0.0.1", port)}, directory)
