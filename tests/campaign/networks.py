"""A network of IPv6 addresses on this machine, for attacks that come from ever new addresses of it."""

from __future__ import annotations

import secrets
import shutil
import socket
import subprocess
import threading
from types import TracebackType
from typing import Self

from tests.campaign.talkers import PATIENCE, Address

FREEBIND = 78
"""``IPV6_FREEBIND`` of Linux: a socket may have an address that no interface has."""


class NoNetwork(Exception):
    """This machine lets nobody have one; says why."""


class Network:
    """A /64 of which every address is this machine's own, while the context lasts.

    Attributes:
        prefix: what all of its addresses begin with.
        server: the address to connect to.

    Raises:
        NoNetwork: by entering.
    """

    def __init__(self) -> None:
        self.prefix = f"fd{secrets.token_hex(1)}:{secrets.token_hex(2)}:{secrets.token_hex(2)}:1:"
        self.server = f"{self.prefix}:1"
        self._used = 1
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._route("add")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._route("del")

    def _route(self, action: str) -> None:
        ip = shutil.which("ip")
        if ip is None:
            raise NoNetwork("needs the command ip of iproute2")
        command = [ip, "-6", "route", action, "local", f"{self.prefix}:/64", "dev", "lo"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NoNetwork(f"needs to be root, to give this machine IPv6 addresses: {done.stderr.strip()}")

    def connect(self, address: Address, number: int | None = None) -> socket.socket:
        """Connect from the address with this number, or from one that was not used before."""
        with self._lock:
            if number is None:
                self._used += 1
            source = f"{self.prefix}:{self._used if number is None else number:x}"
        connection = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
        try:
            connection.setsockopt(socket.IPPROTO_IPV6, FREEBIND, 1)
            connection.bind((source, 0))
            connection.settimeout(PATIENCE)
            connection.connect(address)
        except OSError:
            connection.close()
            raise
        return connection
