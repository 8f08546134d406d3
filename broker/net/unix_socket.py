"""Listening on a Unix socket, whose file says who may connect."""

from __future__ import annotations

import grp
import os
import socket
import stat
import struct
from pathlib import Path
from typing import Any

from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IProtocolFactory
from twisted.logger import Logger

from broker.errors import BrokerError, Code

log = Logger()

MAX_PATH = 107
"""Bytes that the kernel takes (unix(7): 108 with the end)."""
OWNER = 0o600
OWNER_AND_GROUP = 0o660
_CREDENTIALS = struct.Struct("3i")


def open_unix_socket(
    reactor: Any, path: Path, factory: IProtocolFactory, *, group: str = "", backlog: int = 50, who: str, advice: str
) -> Any:
    """Listen on a Unix socket; its file goes when the port is closed.

    Args:
        reactor: the reactor.
        path: of its file. One that is there is removed where nobody listens on it any more.
        factory: makes the connections.
        group: whose members may connect too; empty: only the user of this process and root.
        backlog: connections that may wait to be accepted.
        who: listens, for errors.
        advice: what can be done about a path that is too long, for the error.

    Returns:
        The port.

    Raises:
        BrokerError: ``resource.configuration.address`` where that is not possible, ``resource.configuration`` for a
            group that there is not.
    """
    name = os.fsencode(path)
    if len(name) > MAX_PATH:
        raise _impossible(who, path, f"the path has {len(name)} bytes, and {MAX_PATH} are possible: {advice}")
    group_id = _group_id(group, who) if group else None
    mode = OWNER if group_id is None else OWNER_AND_GROUP
    _remove_stale(path, who)
    before = os.umask(0o777 & ~mode)  # so that nobody else can connect before the mode is set
    try:
        port = reactor.listenUNIX(name, factory, backlog=backlog, mode=mode)
    except CannotListenError as error:
        raise _impossible(who, path, str(error.socketError)) from error
    finally:
        os.umask(before)
    if group_id is not None:
        try:
            os.chown(path, -1, group_id)
        except OSError as error:
            port.stopListening()
            raise _impossible(who, path, f"it cannot be of the group {group}: {error.strerror}") from error
    return port


def credentials_of(transport: Any) -> tuple[int, int, int]:
    """Process, user and group at the other end of a Unix socket when it connected (unix(7), ``SO_PEERCRED``)."""
    packed = transport.getHandle().getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, gid = _CREDENTIALS.unpack(packed)
    return pid, uid, gid


def _remove_stale(path: Path, who: str) -> None:
    """Remove the file of a socket that nobody listens on any more, as a killed process leaves it."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise _impossible(who, path, error.strerror or str(error)) from error
    if not stat.S_ISSOCK(mode):
        raise _impossible(who, path, "there is a file of that name, which is no socket")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
        except OSError as error:
            raise _impossible(who, path, error.strerror or str(error)) from error
    raise _impossible(who, path, "another program listens on it")


def _group_id(name: str, who: str) -> int:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError as error:
        raise BrokerError(Code.RESOURCE_CONFIGURATION, f"{who}: there is no group {name}") from error


def _impossible(who: str, path: Path, reason: str) -> BrokerError:
    return BrokerError(Code.RESOURCE_CONFIGURATION_ADDRESS, f"{who} cannot listen on {path}: {reason}")
