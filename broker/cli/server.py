"""Which broker the client commands talk to, and as whom: options, environment, a small file."""

from __future__ import annotations

import argparse
import os
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from broker.cli.options import path_of
from broker.cli.standard_input import ask_password, read_password
from broker.cli.terminal import reason_of
from broker.errors import BrokerError, Code
from broker.model.number import whole_or_none
from broker.model.text import is_xml_text

DEFAULT_SERVER = "socket://127.0.0.1:7607"
SCHEME = "socket://"
FILE = Path("~/.config/broker/client.toml")
"""The user's own. A file of the current directory would be of whoever may write there."""
VARIABLES = ("BROKER_SERVER", "BROKER_USER", "BROKER_PASSWORD")
KEYS = {"server": str, "user": str, "password": str, "tls": bool, "ca": str}
"""What the file may hold."""
OTHERS_MAY_READ = 0o077
OTHERS_MAY_WRITE = 0o022


@dataclass(frozen=True, slots=True)
class Server:
    """Where to connect to, and as whom.

    Args:
        host: of the broker.
        port: of the broker.
        user: login name.
        password: of the account.
        tls: use TLS.
        ca: PEM file of the authority that signed the broker's certificate; ``None`` the system's.
        compress: the port speaks ``zlib:stream``.
    """

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    tls: bool = False
    ca: Path | None = None
    compress: bool = False

    def context(self) -> Any:
        """A TLS context, or ``None``.

        Raises:
            BrokerError: ``resource.configuration.sslSocket`` for an authority file that cannot be used.
        """
        if not self.tls:
            return None
        from twisted.internet.ssl import Certificate, optionsForClientTLS, trustRootFromCertificates

        if self.ca is None:
            return optionsForClientTLS(self.host)
        try:
            trust = trustRootFromCertificates([Certificate.loadPEM(self.ca.read_bytes())])
        except Exception as error:
            raise BrokerError(Code.RESOURCE_CONFIGURATION_SSL_SOCKET, f"{self.ca}: {error}") from error
        return optionsForClientTLS(self.host, trustRoot=trust)


def add_server_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which broker, and as whom."""
    group = parser.add_argument_group(
        "server", f"also from BROKER_SERVER, BROKER_USER, BROKER_PASSWORD, or server, user, password in {FILE}"
    )
    group.add_argument("--server", metavar="URL", help=f"address of the broker (default {DEFAULT_SERVER})")
    group.add_argument("-u", "--user", metavar="NAME", help="login name")
    group.add_argument("--password-stdin", action="store_true", help="read the password from the first line of input")
    group.add_argument("--tls", action="store_true", help="use TLS")
    group.add_argument(
        "--ca", metavar="FILE", type=path_of, help="PEM file of the authority of the broker's certificate"
    )
    group.add_argument("--zlib", action="store_true", help="the port speaks zlib:stream")


def server_of(options: argparse.Namespace, environment: Mapping[str, str] = os.environ) -> Server:
    """Where to connect to: options beat the environment, which beats the file.

    Raises:
        BrokerError: ``user.wrongApiUsage`` for an address that cannot be read, or a missing name or password;
            ``resource.configuration`` for a file that others may write, or read where it has a password, or that says
            something else.
    """
    known = _read_file()
    for name in VARIABLES:
        if not is_xml_text(environment.get(name, "")):
            raise BrokerError(
                Code.USER_WRONG_API_USAGE, f"the variable {name} is not UTF-8, or has a control character"
            )
    url = options.server or environment.get("BROKER_SERVER") or known.get("server", DEFAULT_SERVER)
    user = options.user or environment.get("BROKER_USER") or known.get("user", "")
    if not user:
        raise BrokerError(Code.USER_WRONG_API_USAGE, "who are you? Give --user NAME, or set BROKER_USER")
    if options.password_stdin:
        password = read_password()
    else:
        password = environment.get("BROKER_PASSWORD") or known.get("password", "")
        if not password and sys.stdin.isatty():
            password = ask_password(f"Password of {user}: ")
    if not password:
        raise BrokerError(
            Code.USER_WRONG_API_USAGE, f"there is no password for {user}: set BROKER_PASSWORD, or give --password-stdin"
        )
    host, port = _read_url(url)
    tls = options.tls or known.get("tls", False)
    if options.ca is not None and not tls:
        raise BrokerError(Code.USER_WRONG_API_USAGE, "--ca is of no use without --tls")
    ca = options.ca or (Path(known["ca"]).expanduser() if "ca" in known else None)
    return Server(host, port, user, password, tls=tls, ca=ca, compress=options.zlib)


def _read_url(url: str) -> tuple[str, int]:
    host, _, port = url.removeprefix(SCHEME).rstrip("/").rpartition(":")
    number = whole_or_none(port, 1, 65535)
    if not host or "://" in host or number is None:
        raise BrokerError(Code.USER_WRONG_API_USAGE, f"'{url}' is not of the form {SCHEME}host:port")
    return host.removeprefix("[").removesuffix("]"), number


def _read_file() -> dict[str, Any]:
    path = FILE.expanduser()
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            text = file.read()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise _unusable(path, reason_of(error)) from error
    if status.st_uid != os.geteuid():
        raise _unusable(path, "it belongs to somebody else")
    if status.st_mode & OTHERS_MAY_WRITE:
        raise _unusable(path, f"others may write it: chmod 600 {path}")
    try:
        known = tomllib.loads(text.decode())
    except ValueError as error:
        raise _unusable(path, str(error)) from error
    for name, value in known.items():
        kind = KEYS.get(name)
        if kind is None:
            raise _unusable(path, f"there is no {name!a}, but {', '.join(KEYS)}")
        if not isinstance(value, kind):
            raise _unusable(path, f"{name} must be a {'text' if kind is str else 'boolean'}")
    if "password" in known and status.st_mode & OTHERS_MAY_READ:
        raise _unusable(path, f"it holds a password and others may read it: chmod 600 {path}")
    return known


def _unusable(path: Path, why: str) -> BrokerError:
    return BrokerError(Code.RESOURCE_CONFIGURATION, f"{path} cannot be used: {why}")
