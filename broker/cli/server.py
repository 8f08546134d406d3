"""Which broker the client commands talk to, and as whom: options, environment, a small file."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from broker.cli.client_file import FILE, read_client_file
from broker.cli.options import path_of
from broker.cli.standard_input import ask_password, read_password
from broker.errors import BrokerError, Code
from broker.model.number import whole_or_none
from broker.model.text import is_xml_text

DEFAULT_SERVER = "socket://127.0.0.1:7607"
SCHEME = "socket://"
VARIABLES = ("BROKER_SERVER", "BROKER_USER", "BROKER_PASSWORD")


@dataclass(frozen=True, slots=True)
class Server:
    """Where to connect to, and as whom.

    Args:
        places: hosts and ports of the broker; more than one where another one stands by.
        user: login name.
        password: of the account.
        tls: use TLS.
        ca: PEM file of the authority that signed the broker's certificate; ``None`` the system's.
        compress: the port speaks ``zlib:stream``.
    """

    places: tuple[tuple[str, int], ...]
    user: str
    password: str = field(repr=False)
    tls: bool = False
    ca: Path | None = None
    compress: bool = False

    def context(self) -> Callable[[str], Any] | None:
        """What makes a TLS context for a host, or ``None``.

        Raises:
            BrokerError: ``resource.configuration.sslSocket`` for an authority file that cannot be used.
        """
        if not self.tls:
            return None
        from twisted.internet.ssl import Certificate, optionsForClientTLS, trustRootFromCertificates

        if self.ca is None:
            return optionsForClientTLS
        try:
            trust = trustRootFromCertificates([Certificate.loadPEM(self.ca.read_bytes())])
        except Exception as error:
            raise BrokerError(Code.RESOURCE_CONFIGURATION_SSL_SOCKET, f"{self.ca}: {error}") from error
        return partial(optionsForClientTLS, trustRoot=trust)


def add_server_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which broker, and as whom."""
    group = parser.add_argument_group(
        "server", f"also from BROKER_SERVER, BROKER_USER, BROKER_PASSWORD, or server, user, password in {FILE}"
    )
    group.add_argument(
        "--server",
        metavar="URL",
        help=f"address of the broker (default {DEFAULT_SERVER}); several with commas where one stands by",
    )
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
    known = read_client_file()
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
    places = tuple(map(_read_url, url.split(",")))
    tls = options.tls or known.get("tls", False)
    if options.ca is not None and not tls:
        raise BrokerError(Code.USER_WRONG_API_USAGE, "--ca is of no use without --tls")
    ca = options.ca or (Path(known["ca"]).expanduser() if "ca" in known else None)
    return Server(places, user, password, tls=tls, ca=ca, compress=options.zlib)


def _read_url(url: str) -> tuple[str, int]:
    host, _, port = url.removeprefix(SCHEME).rstrip("/").rpartition(":")
    number = whole_or_none(port, 1, 65535)
    if not host or "://" in host or number is None:
        raise BrokerError(Code.USER_WRONG_API_USAGE, f"'{url}' is not of the form {SCHEME}host:port")
    return host.removeprefix("[").removesuffix("]"), number
