"""ejabberd."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from bench.certificate import write_certificate
from bench.drive.loop import Link, Loop, Script, connect, talk, until
from bench.drive.xmpp_wire import HEADER
from bench.peers.accounts import more_accounts
from bench.peers.debian import free_port, install, installed_version, write_configuration
from bench.process import Process, ProcessError
from bench.system import Running, Settings, Unavailable


class Ejabberd:
    """ejabberd with Mnesia, one Erlang node that is not part of a network of nodes.

    Args:
        accounts: names and passwords.
    """

    name = "ejabberd"

    def __init__(self, accounts: dict[str, str]) -> None:
        self._accounts = accounts
        self._scratch = Path()
        self._templates: dict[str, Path] = {}

    def prepare(self, scratch: Path) -> None:
        """Install it; accounts are registered by XMPP, and every case gets a copy of the database."""
        install("ejabberd")
        self._scratch = scratch
        self._template({})

    def version(self) -> str:
        """Version of the package."""
        return installed_version("ejabberd")

    def start(self, directory: Path, settings: Settings) -> Running:
        """Start it on a copy. Settings: ``tls``, ``hashed`` passwords, more ``accounts``."""
        shutil.copytree(self._template(settings), directory / "spool")
        return self._start(directory, settings)

    def _template(self, settings: Settings) -> Path:
        """The database with the accounts, made when it is first needed."""
        accounts = more_accounts(self._accounts, settings)
        key = f"{len(accounts)}{'-hashed' if 'hashed' in settings else ''}"
        if key not in self._templates:
            directory = self._scratch / f"ejabberd-{key}"
            directory.mkdir()
            running = self._start(directory, settings, "  mod_register: {ip_access: all, access: register}")
            loop = Loop()
            link = connect(loop, *running.ports["xmpp"])
            talk(link, _register(link, accounts))
            link.close()
            running.process.terminate()  # Mnesia writes its files on the way
            self._templates[key] = directory / "spool"
        return self._templates[key]

    def _start(self, directory: Path, settings: Settings, registration: str = "") -> Running:
        port = free_port()
        certificates = ""
        if "tls" in settings:
            certificate = directory / "localhost.pem"
            write_certificate(certificate, certificate)
            certificates = f'certfiles: ["{certificate}"]'
        configuration = directory / "ejabberd.yml"
        write_configuration(
            "ejabberd.yml",
            configuration,
            port=port,
            tls="true" if "tls" in settings else "false",
            passwords="scram" if "hashed" in settings else "plain",
            registration=registration,
            certificates=certificates,
        )
        spool = directory / "spool"
        spool.mkdir(exist_ok=True)
        process = Process(
            [
                *("erl", "-noinput", "+K", "true", "+P", "250000", "-env", "ERL_MAX_PORTS", "65536"),
                *("-mnesia", "dir", f'"{spool}"', "-s", "ejabberd"),
            ],
            directory / "ejabberd.out",
            directory,
            {
                "EJABBERD_CONFIG_PATH": str(configuration),
                "EJABBERD_LOG_PATH": str(directory / "ejabberd.log"),
                "ERL_LIBS": _libraries(),
                "ERL_CRASH_DUMP_BYTES": "0",
                "HOME": str(directory),
            },
        )
        process.wait_for_port("127.0.0.1", port)
        return Running(process, {"xmpp": ("127.0.0.1", port)}, spool)


def _libraries() -> str:
    """The directory that Debian has Erlang libraries of this machine's kind in.

    Raises:
        Unavailable: there is none.
    """
    for found in sorted(Path("/usr/lib").glob("*/ejabberd-*")):
        return str(found.parent)
    raise Unavailable("the package ejabberd has no library where it is looked for")


def _register(link: Link, accounts: dict[str, str]) -> Script[None]:
    """Register accounts in the band (XEP-0077)."""
    link.send(HEADER)
    yield until(b"</stream:features>")
    for name, password in accounts.items():
        link.send(
            f"<iq type='set' id='{name}'><query xmlns='jabber:iq:register'><username>{name}</username>"
            f"<password>{password}</password></query></iq>".encode()
        )
        answer = yield until(b"</iq>", b"/>")
        if not re.search(rb"type=['\"]result", answer):
            raise ProcessError(f"ejabberd does not register {name}: {answer!r}")
