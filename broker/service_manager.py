"""What the program tells whoever supervises it (systemd's ``sd_notify`` protocol, sd_notify(3)).

The protocol is one datagram of lines for each message, to the Unix socket that ``NOTIFY_SOCKET`` names.
"""

from __future__ import annotations

import os
import socket
import time
from collections import deque
from collections.abc import MutableMapping
from typing import Any

from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from broker.model.number import whole_or_none
from broker.timers import cancel

log = Logger()

SOCKET = "NOTIFY_SOCKET"
WATCHDOG = "WATCHDOG_USEC"
WATCHDOG_PROCESS = "WATCHDOG_PID"
MICROSECONDS = 1_000_000
EXTEND_EVERY = 10.0
"""Seconds between two requests for more time to start."""
EXTEND_BY = 120.0
"""Seconds that are asked for: some steps of a recovery hold up everything else."""
RETRY_AFTER = 0.1
"""Seconds until what the socket did not take is sent again."""
MAX_UNSENT = 100
"""Messages that are kept for a service manager that reads none."""


class ServiceManager:
    """Tells a service manager how the program is; nothing happens where there is none.

    Args:
        reactor: calls back at times.
        address: of the socket, as ``NOTIFY_SOCKET`` has it; empty for none.
        watchdog: seconds after which a program that has told nothing is taken for hung; 0 for never.
    """

    def __init__(self, reactor: Any, address: str = "", watchdog: float = 0.0) -> None:
        self._reactor = reactor
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._watchdog = watchdog
        self._timer: IDelayedCall | None = None
        self._is_ready = False
        self._unsent: deque[bytes] = deque(maxlen=MAX_UNSENT)
        self._retry: IDelayedCall | None = None

    def starting(self) -> None:
        """The start begins: it may take as long as it takes, as long as it goes on."""
        self._send(f"EXTEND_TIMEOUT_USEC={int(EXTEND_BY * MICROSECONDS)}")
        self._again(EXTEND_EVERY, self.starting)

    def status(self, text: str) -> None:
        """Have the service manager show one line, as ``systemctl status`` does."""
        self._send(f"STATUS={text.replace(chr(10), ' ')}")

    def ready(self) -> None:
        """The start is over."""
        self._is_ready = True
        self._send("READY=1")
        cancel(self._timer)
        if self._watchdog:
            self._alive()

    def reloading(self) -> None:
        """Configuration is being read again, which says nothing of a start that goes on."""
        if self._is_ready:
            self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def reloaded(self) -> None:
        """Configuration was read again."""
        if self._is_ready:
            self._send("READY=1")

    def stopping(self) -> None:
        """The program ends."""
        self._is_ready = False
        cancel(self._timer)
        self._send("STOPPING=1")

    def _alive(self) -> None:
        # By the reactor: one that hangs is what the watchdog is to find.
        self._send("WATCHDOG=1")
        self._again(self._watchdog / 2, self._alive)

    def _again(self, seconds: float, function: Any) -> None:
        if self._address:
            self._timer = self._reactor.callLater(seconds, function)

    def _send(self, message: str) -> None:
        if self._address:
            self._unsent.append(message.encode())
            self._send_all()

    def _send_all(self) -> None:
        """Send what the socket takes; it holds ten messages that the service manager has not read yet, unix(7)."""
        cancel(self._retry)
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.setblocking(False)
                while self._unsent:
                    sender.sendto(self._unsent[0], self._address)
                    self._unsent.popleft()
        except BlockingIOError:
            self._retry = self._reactor.callLater(RETRY_AFTER, self._send_all)
        except OSError as error:
            self._unsent.clear()
            log.warn("the service manager cannot be told anything: {reason}", reason=str(error))


def service_manager_of(reactor: Any, environment: MutableMapping[str, str] = os.environ) -> ServiceManager:
    """The service manager that the environment names, whose variables are removed: they are not for child processes.

    Args:
        reactor: calls back at times.
        environment: of the process.
    """
    address = environment.pop(SOCKET, "")
    watchdog = whole_or_none(environment.pop(WATCHDOG, ""), 1)
    process = environment.pop(WATCHDOG_PROCESS, "")
    if watchdog is None or process not in {"", str(os.getpid())}:
        watchdog = 0
    return ServiceManager(reactor, address, watchdog / MICROSECONDS)
