"""Where the administration of a broker is, and as whom it is asked."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from broker.cli.client_file import FILE, read_client_file
from broker.cli.options import filled, path_of, seconds
from broker.cli.transport import TIMEOUT, Address, Administration, PortAddress, UnixAddress
from broker.config.command_line import DEFAULT_DATA
from broker.errors import BrokerError, Code
from broker.model.text import is_xml_text

SOCKET_FILE = "admin.sock"
SYSTEM_SOCKET = Path("/run/broker/admin.sock")
"""Where a broker under systemd has it."""
SOCKET_VARIABLE = "BROKER_SOCKET"
TOKEN_VARIABLE = "BROKER_TOKEN"
DEFAULT_PORT = 7609
OTHERS_MAY_READ = 0o077


def add_address_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which broker is asked, and as whom."""
    group = parser.add_argument_group(
        "broker",
        f"The first of: --url, --socket, {SOCKET_VARIABLE}, {SOCKET_FILE} in the directory of --data, admin_url in"
        f" {FILE}, ./data/{SOCKET_FILE}, {SYSTEM_SOCKET}",
    )
    group.add_argument(
        "-d", "--data", metavar="DIR", type=path_of, default=argparse.SUPPRESS, help="its data directory"
    )
    group.add_argument("--socket", metavar="PATH", type=path_of, help="its Unix socket")
    group.add_argument("--url", metavar="URL", type=filled, help="its port, such as https://broker.example.org:7609")
    group.add_argument("--ca", metavar="FILE", type=path_of, help="PEM file of the authority of its certificate")
    group.add_argument(
        "--token-file",
        metavar="FILE",
        type=path_of,
        help=f"file with the token that says who you are; also {TOKEN_VARIABLE}, or token in {FILE}",
    )
    group.add_argument(
        "--answer-timeout", metavar="S", type=seconds, default=TIMEOUT, help=f"seconds to wait (default {TIMEOUT:g})"
    )


def administration_of(options: argparse.Namespace, environment: Mapping[str, str] = os.environ) -> Administration:
    """The broker's administration that the options of a command name."""
    return Administration(addresses_of(options, environment), options.answer_timeout)


def addresses_of(options: argparse.Namespace, environment: Mapping[str, str] = os.environ) -> Sequence[Address]:
    """Where to ask; options beat the environment, which beats the file of the user.

    Raises:
        BrokerError: ``user.wrongApiUsage`` for an address that cannot be read, or a token that cannot be used;
            ``resource.configuration`` for a file that others may read or that says something else.
    """
    if options.url is not None and options.socket is not None:
        raise _wrong("--url and --socket are two ways to the same: give one of them")
    if options.url is not None:
        return [_port_address(options.url, options, environment, read_client_file())]
    if options.socket is not None:
        return [UnixAddress(options.socket)]
    if environment.get(SOCKET_VARIABLE):
        return [UnixAddress(Path(environment[SOCKET_VARIABLE]))]
    if options.data != Path(DEFAULT_DATA):
        return [UnixAddress(options.data / SOCKET_FILE)]
    known = read_client_file()
    if "admin_url" in known:
        return [_port_address(known["admin_url"], options, environment, known)]
    if options.ca is not None or options.token_file is not None:
        raise _wrong("--ca and --token-file are for a port: give its --url")
    return [UnixAddress(options.data / SOCKET_FILE), UnixAddress(SYSTEM_SOCKET)]


def _port_address(
    url: str, options: argparse.Namespace, environment: Mapping[str, str], known: Mapping[str, str]
) -> PortAddress:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise _wrong(f"'{url}' is no address: {error}") from error
    if parts.scheme not in ("http", "https") or not host or parts.path not in ("", "/") or parts.query:
        raise _wrong(f"'{url}' is not of the form https://host:port")
    tls = parts.scheme == "https"
    if options.ca is not None and not tls:
        raise _wrong("--ca is of no use without https://")
    token = _token(options.token_file, environment, known)
    if token and not tls and not _is_loopback(host):
        raise _wrong(f"a token is a secret, and {url} would carry it in the clear: use https://")
    ca = options.ca or (Path(known["ca"]).expanduser() if "ca" in known and tls else None)
    return PortAddress(host, port or DEFAULT_PORT, tls, ca, token)


def _token(file: Path | None, environment: Mapping[str, str], known: Mapping[str, str]) -> str:
    if file is None:
        token, source = environment.get(TOKEN_VARIABLE, ""), TOKEN_VARIABLE
        if not token:
            token, source = known.get("token", ""), str(FILE)
    else:
        with file.open(encoding="ascii", errors="replace") as opened:
            if os.fstat(opened.fileno()).st_mode & OTHERS_MAY_READ:
                raise BrokerError(
                    Code.RESOURCE_CONFIGURATION, f"{file} holds a token and others may read it: chmod 600 {file}"
                )
            token, source = opened.read(), str(file)
    token = token.strip()
    if not token.isascii() or not is_xml_text(token) or len(token.split()) > 1:
        raise _wrong(f"what {source} has is no token")
    return token


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _wrong(reason: str) -> BrokerError:
    return BrokerError(Code.USER_WRONG_API_USAGE, reason)
