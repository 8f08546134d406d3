"""Properties of the connection manager; they have the names that Openfire's manager gives them, where it has them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from broker.config.kinds import BOOLEAN, TEXT, choice, duration, integer, listed, size
from broker.config.options import Registry
from broker.config.properties import Properties
from broker.errors import BrokerError, Code
from broker.logs import settings as logs
from broker.model.host import address_of, is_loopback
from broker.model.jid import parse_jid
from broker.model.number import whole_or_none
from broker.net.limits import Limits

REGISTRY = Registry()
"""The properties that a connection manager knows; those of the broker are another registry."""
MAX_ELEMENT = 64 << 20
"""Bytes of one element of the server, which has limits of its own that are smaller."""
DIRECT_TLS = "tls://"
"""Stands before a server whose port begins with TLS."""
MAX_NAME = 256
"""Characters of a manager's name; the broker takes no longer one."""
_HOST_NAME = re.compile(r"[^\s:/\[\]<>&@,]+")
_declare = REGISTRY.declare


class LinkTls(StrEnum):
    """Whether links to the server must use TLS."""

    REQUIRED = "required"
    OPTIONAL = "optional"
    AUTO = "auto"


DOMAIN = _declare("xmpp.domain", TEXT, "localhost", "The domain that the server serves; its certificate is for it.")
HOSTNAME = _declare("xmpp.hostname", TEXT, "127.0.0.1", "Host of the server.")
PORT = _declare("xmpp.port", integer(1, 65535), 5262, "Port of the server for connection managers.")
SERVERS = _declare(
    "xmpp.manager.servers",
    TEXT,
    "",
    "Comma list of host:port in the place of xmpp.hostname and xmpp.port, or tls://host:port for a port that begins"
    " with TLS (mostly 5263); the first one that is reached is used.",
)
PASSWORD = _declare(
    "xmpp.password", TEXT, "", "The secret that the server has for this manager; better in xmpp.manager.secretFile."
)
SECRET_FILE = _declare("xmpp.manager.secretFile", TEXT, "", "File with the secret, in its first line.")
NAME = _declare("xmpp.manager.name", TEXT, "cm1", "Name of this manager; each manager of a server has its own.")
CONNECTIONS = _declare(
    "xmpp.manager.connections", integer(1, 64), 1, "Links to the server; each client is carried over one of them."
)
FRAMES = _declare(
    "xmpp.manager.frames",
    BOOLEAN,
    True,
    "Speak frames with servers that offer them, which lose nothing; otherwise routes, as with all other servers.",
)
GRACE = _declare(
    "xmpp.manager.grace",
    duration(0),
    60_000,
    "How long clients are kept while no server is reached; then they get a stream error.",
)
PATIENCE = _declare(
    "xmpp.manager.patience",
    duration(0),
    5000,
    "How long a new client waits for a link to the server, and for the server's consent; then it gets a stream error.",
)
OTHER_HOST = _declare(
    "xmpp.manager.otherHost",
    TEXT,
    "",
    "host or host:port that clients are sent to when the manager stops; empty: their connections are closed, and they"
    " resume their streams wherever they connect next.",
)
STOP_TIMEOUT = _declare(
    "xmpp.manager.stopTimeout",
    duration(1),
    10_000,
    "How long the manager, when it stops, waits for the server to take what clients have sent.",
)
METRICS_PORT = _declare(
    "xmpp.manager.metricsPort",
    integer(-1, 65535),
    -1,
    "Port of HTTP with /healthz, /health/ready and /metrics, for everybody who reaches it; 0: any, -1: none.",
)
METRICS_HOSTNAME = _declare(
    "xmpp.manager.metricsHostname", TEXT, "127.0.0.1", "Address that it listens on; 0.0.0.0 or :: for all."
)
METRICS_HOSTS = _declare(
    "xmpp.manager.metricsHosts",
    TEXT,
    "",
    "Comma list of more names by which it may be asked, beside that address and those of this machine.",
)
SERVER_TLS = _declare(
    "xmpp.server.tls",
    choice(LinkTls),
    LinkTls.AUTO,
    "Whether links use TLS: required, or optional, that is where the server offers it; auto: required, but for servers"
    " on this machine only where these require it.",
)
VERIFY = _declare("xmpp.server.certificate.verify", BOOLEAN, True, "Verify the server's certificate.")
AUTHORITIES = _declare(
    "xmpp.server.certificate.authorities",
    TEXT,
    "",
    "PEM file of the authorities that the server's certificate may be of, or with that certificate itself if it is"
    " self-signed; empty: those of the system.",
)
INTERFACE = _declare(
    "xmpp.socket.network.interface", TEXT, "127.0.0.1", "Address to listen on for clients; 0.0.0.0 or :: for all."
)
PLAIN_ACTIVE = _declare("xmpp.socket.default.active", BOOLEAN, True, "Listen for clients that start TLS themselves.")
PLAIN_PORT = _declare(
    "xmpp.socket.plain.port", integer(0, 65535), 5222, "Port of clients that start TLS themselves; 0: any."
)
TLS_ACTIVE = _declare("xmpp.socket.ssl.active", BOOLEAN, True, "Listen for clients that begin with TLS.")
TLS_PORT = _declare("xmpp.socket.ssl.port", integer(0, 65535), 5223, "Port of clients that begin with TLS; 0: any.")
BACKLOG = _declare("xmpp.socket.backlog", integer(1), 200, "Connections that may wait to be accepted.")
CERTIFICATE = _declare(
    "xmpp.certificate",
    TEXT,
    "",
    "PEM file with the certificate that clients are shown and its chain; empty: one is made in the data directory.",
)
PRIVATE_KEY = _declare("xmpp.privateKey", TEXT, "", "PEM file with the key; empty: it stands in xmpp.certificate.")
CLIENT_CA = _declare(
    "xmpp.clientCertificates",
    TEXT,
    "",
    "PEM file of the authorities whose certificates the server may log a client in with (SASL EXTERNAL).",
)
LINK_CERTIFICATE = _declare(
    "xmpp.manager.certificate",
    TEXT,
    "",
    "PEM file with the certificate that the manager shows its server, for its name, and the key; empty: it shows none.",
)
IDLE = _declare(
    "xmpp.client.idle",
    duration(0),
    1_800_000,
    "Silence after which a client is disconnected, where the server leaves that to its managers; 0: never.",
)
HEADER_TIMEOUT = _declare(
    "xmpp.client.headerTimeout", duration(1), 30_000, "How long a new connection may take to begin its stream."
)
MAX_STANZA = _declare("xmpp.parser.buffer.size", size(10_000), 1 << 20, "Longest stanza.")
MAX_STANZA_BEFORE_LOGIN = _declare(
    "xmpp.maxStanzaBeforeLogin", size(1_000), 10 << 10, "Longest stanza before the login."
)
MAX_CONNECTIONS = _declare("xmpp.client.maxConnections", integer(1), 100_000, "Connections of clients.")
MAX_STRANGERS = _declare(
    "xmpp.client.maxPendingLoginsTotal", integer(1), 20_000, "Connections of clients that have not logged in."
)
MAX_PENDING = _declare(
    "xmpp.client.maxPendingLogins",
    integer(1),
    1000,
    "The same of one address; an IPv6 address counts as its /64 network, and this machine's have no limit.",
)
RATE = _declare(
    "xmpp.client.connectionRate", integer(0), 100, "New connections of one address in a second; 0 for any number."
)
BURST = _declare("xmpp.client.connectionBurst", integer(1), 1000, "New connections of one address at once.")
HANDSHAKE_TIMEOUT = _declare(
    "xmpp.client.handshakeTimeout", duration(1), 15_000, "Until a client's TLS handshake must be over."
)
MAX_UNREAD = _declare(
    "session.stalled.cap",
    size(1 << 20),
    32 << 20,
    "A client that leaves so many bytes unread is let go of, where the server does not wait for it.",
)
WRITE_TIMEOUT = _declare(
    "xmpp.session.sending-limit",
    duration(1),
    60_000,
    "A client that has taken nothing of what waits for it for so long is let go of.",
)
for _option in (logs.LEVEL, logs.FORMAT, logs.KEEP, logs.MAX_SIZE, logs.DAILY):
    REGISTRY.add(_option)
REGISTRY.add_indexed(logs.LEVELS)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is.

    Args:
        host: a name or an address.
        port: for connection managers.
        direct_tls: it begins with TLS.
    """

    host: str
    port: int
    direct_tls: bool = False

    def __str__(self) -> str:
        scheme = DIRECT_TLS if self.direct_tls else ""
        return f"{scheme}[{self.host}]:{self.port}" if ":" in self.host else f"{scheme}{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class ManagerSettings:
    """The properties above, read. Times in seconds; ``None`` for a port that is not opened."""

    domain: str
    servers: tuple[Address, ...]
    secret: str = field(repr=False)
    secret_file: Path | None
    name: str
    connections: int
    frames: bool
    grace: float
    patience: float
    other_host: str
    stop_timeout: float
    metrics_hostname: str
    metrics_port: int | None
    metrics_hosts: tuple[str, ...]
    server_tls: LinkTls
    verify: bool
    authorities: Path | None
    link_certificate: Path | None
    interface: str
    plain_port: int | None
    tls_port: int | None
    backlog: int
    idle: float
    header_timeout: float
    max_stanza: int
    max_stanza_before_login: int
    limits: Limits

    def link_tls(self, server: Address) -> LinkTls:
        """Whether a link to a server uses TLS; ``AUTO``: only where the server requires it."""
        if self.server_tls is LinkTls.AUTO and server.host != "localhost" and not is_loopback(server.host):
            return LinkTls.REQUIRED
        return self.server_tls


def settings_of(properties: Properties) -> ManagerSettings:
    """Read the settings.

    Raises:
        BrokerError: ``resource.configuration`` for a value that cannot be used, or a secret that is missing.
    """
    authorities, link_certificate = AUTHORITIES.get(properties), LINK_CERTIFICATE.get(properties).strip()
    plain_port = PLAIN_PORT.get(properties) if PLAIN_ACTIVE.get(properties) else None
    tls_port = TLS_PORT.get(properties) if TLS_ACTIVE.get(properties) else None
    if plain_port is None and tls_port is None:
        raise _wrong(TLS_ACTIVE.name, f"clients have no port, as {PLAIN_ACTIVE.name} is false, too")
    if plain_port and plain_port == tls_port:
        raise _wrong(TLS_PORT.name, f"{tls_port} is {PLAIN_PORT.name}, too")
    return ManagerSettings(
        domain=_domain(DOMAIN.get(properties)),
        servers=_servers(properties),
        secret=_secret(properties),
        secret_file=Path(SECRET_FILE.get(properties)) if SECRET_FILE.get(properties) else None,
        name=_name(NAME.get(properties)),
        connections=CONNECTIONS.get(properties),
        frames=FRAMES.get(properties),
        grace=GRACE.get(properties) / 1000,
        patience=PATIENCE.get(properties) / 1000,
        other_host=_other_host(OTHER_HOST.get(properties)),
        stop_timeout=STOP_TIMEOUT.get(properties) / 1000,
        metrics_hostname=METRICS_HOSTNAME.get(properties).strip() or "127.0.0.1",
        metrics_port=None if METRICS_PORT.get(properties) < 0 else METRICS_PORT.get(properties),
        metrics_hosts=tuple(listed(METRICS_HOSTS.get(properties))),
        server_tls=SERVER_TLS.get(properties),
        verify=VERIFY.get(properties),
        authorities=Path(authorities) if authorities else None,
        link_certificate=Path(link_certificate) if link_certificate else None,
        interface=INTERFACE.get(properties).strip() or "127.0.0.1",
        plain_port=plain_port,
        tls_port=tls_port,
        backlog=BACKLOG.get(properties),
        idle=IDLE.get(properties) / 1000,
        header_timeout=HEADER_TIMEOUT.get(properties) / 1000,
        max_stanza=MAX_STANZA.get(properties),
        max_stanza_before_login=MAX_STANZA_BEFORE_LOGIN.get(properties),
        limits=Limits(
            handshake_timeout=HANDSHAKE_TIMEOUT.get(properties) / 1000,
            write_timeout=WRITE_TIMEOUT.get(properties) / 1000,
            room=0,  # what a client has not taken is not acknowledged to the server, which waits then
            max_unread=MAX_UNREAD.get(properties),
            max_connections=MAX_CONNECTIONS.get(properties),
            max_strangers=MAX_STRANGERS.get(properties),
            max_pending=MAX_PENDING.get(properties),
            rate=RATE.get(properties),
            burst=BURST.get(properties),
        ),
    )


def read_address(text: str) -> Address:
    """A server's address.

    Args:
        text: ``host:port`` or ``[IPv6 address]:port``, behind ``tls://`` for a port that begins with TLS.

    Raises:
        ValueError: it is none.
    """
    host, _, port = text.strip().removeprefix(DIRECT_TLS).rpartition(":")
    number = whole_or_none(port, 1, 65535)
    host = host.removeprefix("[").removesuffix("]")
    if number is None or not _is_host(host):
        raise ValueError(f"'{text.strip()}' is not host:port")
    return Address(host, number, text.strip().startswith(DIRECT_TLS))


def _is_host(text: str) -> bool:
    """Whether it can be the name of a host, or is an address."""
    return bool(_HOST_NAME.fullmatch(text)) or address_of(text) is not None


def _servers(properties: Properties) -> tuple[Address, ...]:
    names = [each for each in SERVERS.get(properties).split(",") if each.strip()]
    if not names:
        host = HOSTNAME.get(properties).strip()
        if not _is_host(host):
            raise _wrong(HOSTNAME.name, f"'{host}' is no host")
        return (Address(host, PORT.get(properties)),)
    try:
        return tuple(map(read_address, names))
    except ValueError as error:
        raise _wrong(SERVERS.name, str(error)) from error


def _secret(properties: Properties) -> str:
    path = SECRET_FILE.get(properties)
    if not path:
        secret = PASSWORD.get(properties)
        if not secret:
            raise _wrong(SECRET_FILE.name, "there is no secret for the server; name a file that has it")
        return secret
    try:
        lines = Path(path).read_text("utf-8").splitlines()
    except OSError as error:
        raise _wrong(SECRET_FILE.name, f"{path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise _wrong(SECRET_FILE.name, f"{path}: it is not UTF-8") from error
    if not lines or not lines[0].strip():
        raise _wrong(SECRET_FILE.name, f"{path}: its first line is empty")
    return lines[0].strip()


def _name(text: str) -> str:
    name = text.strip().lower()
    if not name or "/" in name or not name.isprintable() or len(name) > MAX_NAME:
        raise _wrong(NAME.name, f"'{text}' cannot be the name of a manager")
    return name


def _other_host(text: str) -> str:
    """``host`` or ``host:port``, as a client is told where to go (RFC 6120 §4.9.3.19)."""
    text = text.strip()
    if not text or _is_host(text):
        return text
    host, port = text, ""
    if not text.endswith("]"):
        host, _, port = text.rpartition(":")
    named = _HOST_NAME.fullmatch(host) or (host.startswith("[") and host.endswith("]") and address_of(host[1:-1]))
    if not named or (port and whole_or_none(port, 1, 65535) is None) or text.endswith(":"):
        raise _wrong(OTHER_HOST.name, f"'{text}' is neither host nor host:port")
    return text


def _domain(text: str) -> str:
    try:
        jid = parse_jid(text.strip())
    except BrokerError as error:
        raise _wrong(DOMAIN.name, error.message) from error
    if jid.local or jid.resource:
        raise _wrong(DOMAIN.name, f"'{text}' is an address and no domain")
    return jid.domain


def _wrong(name: str, reason: str) -> BrokerError:
    return BrokerError(Code.RESOURCE_CONFIGURATION, f"{name}: {reason}")
