"""Properties of the links of connection managers."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from broker.config.kinds import BOOLEAN, TEXT, choice, duration, integer, listed, size
from broker.config.options import Effect, declare, declare_indexed
from broker.config.properties import Properties
from broker.errors import BrokerError, Code
from broker.model.host import address_of
from broker.private_files import warn_of_readers
from broker.xmpp.settings import TLS as CLIENTS_TLS
from broker.xmpp.settings import TlsPolicy

_PREFIX = "xmpp.managers"

SECRET = declare(
    f"{_PREFIX}.secret",
    TEXT,
    "",
    "What connection managers prove that they know; empty: those without one of their own may not link.",
)
SECRET_FILE = declare(
    f"{_PREFIX}.secretFile",
    TEXT,
    "",
    "File whose first line is that secret; read again on reload.",
    change=Effect.LISTENER,
)
SECRETS = declare_indexed(f"{_PREFIX}.secret", "The secret of the manager of that name alone.", "cm1")
SECRET_FILES = declare_indexed(f"{_PREFIX}.secretFile", "File whose first line is that secret.", "cm1")
TLS = declare(
    f"{_PREFIX}.tls",
    choice(TlsPolicy),
    TlsPolicy.AUTO,
    "Links: required, optional or off; auto: optional for a listener on loopback, required for all others.",
    change=Effect.LISTENER,
)
CLIENT_TLS = declare(
    f"{_PREFIX}.clientTls",
    choice(TlsPolicy),
    TlsPolicy.AUTO,
    "What managers demand of their clients: required (auto is the same), optional or off. Without required, passwords "
    "(SASL PLAIN) are taken only where xmpp.plainWithoutTls is true.",
    change=Effect.LISTENER,
)
COMPRESSION = declare(
    f"{_PREFIX}.compression",
    BOOLEAN,
    False,
    "Offer zlib on links with TLS; it may tell watchers what clients repeat.",
    change=Effect.LISTENER,
)
CERTIFICATES = declare(
    f"{_PREFIX}.certificates",
    BOOLEAN,
    False,
    "Let clients of managers that speak frames log in with certificates that these have verified (SASL EXTERNAL).",
    change=Effect.LISTENER,
)
AUTHORITIES = declare(
    f"{_PREFIX}.authorities",
    TEXT,
    "",
    "PEM file of authorities: a manager must show a certificate of one of them that is for its name (as common name or "
    "DNS name), and know the secret; empty: managers need no certificate.",
    change=Effect.LISTENER,
)
ADDRESSES = declare(
    f"{_PREFIX}.addresses",
    TEXT,
    "",
    "Comma list of addresses that managers may link from; empty: any.",
    change=Effect.LISTENER,
)
NAMES = declare(
    f"{_PREFIX}.names", TEXT, "", "Comma list of names of managers that may link; empty: any.", change=Effect.LISTENER
)
GRACE = declare(
    f"{_PREFIX}.grace",
    duration(0),
    60_000,
    "How long clients are waited for when the last link of their manager is gone.",
    change=Effect.LISTENER,
)
IDLE = declare(
    f"{_PREFIX}.idle", duration(1000), 300_000, "Silence after which a link is closed.", change=Effect.LISTENER
)
MAX_LINKS = declare(f"{_PREFIX}.maxLinks", integer(1), 16, "Links of one manager.", change=Effect.LISTENER)
MAX_SESSIONS = declare(f"{_PREFIX}.maxSessions", integer(1), 100_000, "Clients of one manager.", change=Effect.LISTENER)
MAX_PENDING = declare(
    f"{_PREFIX}.maxPendingLogins",
    integer(1),
    5000,
    "Clients of one manager that have not logged in yet.",
    change=Effect.LISTENER,
)
MAX_PENDING_ADDRESS = declare(
    f"{_PREFIX}.maxPendingLoginsAddress",
    integer(1),
    1000,
    "Those of them that come from one address.",
    change=Effect.LISTENER,
)
MAX_WAITING = declare(
    f"{_PREFIX}.maxWaiting",
    size(65_536),
    4 << 20,
    "Bytes of one client that may wait to be handled; its manager cannot be told to wait, so more end its session.",
    change=Effect.LISTENER,
)
MAX_WAITING_TOTAL = declare(
    f"{_PREFIX}.maxWaitingTotal",
    size(65_536),
    64 << 20,
    "The same of all clients of one manager that have to wait.",
    change=Effect.LISTENER,
)


@dataclass(frozen=True, slots=True)
class ManagerSettings:
    """The properties above, read. Times in seconds.

    Args:
        tls: policy of links.
        client_tls: what managers enforce on their clients.
        compression: offer zlib.
        certificates: managers are trusted with certificates of their clients.
        authorities: PEM file of those that managers must have a certificate of; empty for none.
        addresses: from which managers may link; empty for any.
        names: of managers that may link, lower-cased; empty for any.
        grace: how long clients without a link are waited for.
        idle: silence after which a link is closed.
        max_links: of one manager.
        max_sessions: of one manager.
        max_pending: those of one manager that have not logged in.
        max_pending_address: those of them that come from one address.
        max_waiting: bytes of one client that may wait to be handled.
        max_waiting_total: those of all clients of one manager that have to wait.
    """

    tls: TlsPolicy = TlsPolicy.AUTO
    client_tls: TlsPolicy = TlsPolicy.REQUIRED
    compression: bool = False
    certificates: bool = False
    authorities: str = ""
    addresses: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    grace: float = 60.0
    idle: int = 300
    max_links: int = 16
    max_sessions: int = 100_000
    max_pending: int = 5000
    max_pending_address: int = 1000
    max_waiting: int = 4 << 20
    max_waiting_total: int = 64 << 20


@dataclass(frozen=True, slots=True)
class Secrets:
    """What managers have to know.

    Args:
        common: of every manager; empty for none.
        own: of one manager, by its name, lower-cased.
    """

    common: str = field(default="", repr=False)
    own: dict[str, str] = field(default_factory=dict, repr=False)

    def __bool__(self) -> bool:
        return bool(self.common or self.own)

    def of(self, name: str) -> str:
        """The secret of a manager; empty where it cannot have one."""
        return self.own.get(name, self.common)


def settings_of(properties: Properties) -> ManagerSettings:
    """Read the settings.

    Raises:
        BrokerError: ``resource.configuration`` for a value that cannot be used.
    """
    client_tls = CLIENT_TLS.get(properties)
    if client_tls is TlsPolicy.AUTO:
        client_tls = TlsPolicy.REQUIRED
    elif client_tls is not TlsPolicy.REQUIRED and CLIENTS_TLS.get(properties) is TlsPolicy.REQUIRED:
        raise _unusable(CLIENT_TLS.name, "clients must use TLS (xmpp.tls), so it can be required only")
    return ManagerSettings(
        tls=TLS.get(properties),
        client_tls=client_tls,
        compression=COMPRESSION.get(properties),
        certificates=CERTIFICATES.get(properties),
        authorities=_file_with_tls(properties),
        addresses=_addresses(ADDRESSES.get(properties)),
        names=frozenset(listed(NAMES.get(properties).lower())),
        grace=GRACE.get(properties) / 1000,
        idle=IDLE.get(properties) // 1000,
        max_links=MAX_LINKS.get(properties),
        max_sessions=MAX_SESSIONS.get(properties),
        max_pending=MAX_PENDING.get(properties),
        max_pending_address=MAX_PENDING_ADDRESS.get(properties),
        max_waiting=MAX_WAITING.get(properties),
        max_waiting_total=MAX_WAITING_TOTAL.get(properties),
    )


def _file_with_tls(properties: Properties) -> str:
    """The authorities, which are of use on links with TLS alone."""
    file = AUTHORITIES.get(properties).strip()
    if file and TLS.get(properties) is TlsPolicy.OFF:
        raise _unusable(AUTHORITIES.name, f"there are no certificates where {TLS.name} is off")
    return file


def secrets_of(properties: Properties) -> Secrets:
    """Read the secrets.

    Raises:
        BrokerError: ``resource.configuration`` for a file that cannot be read or has no secret. The text has no secret.
    """
    own = {name.lower(): secret for name, secret in SECRETS.get(properties).items() if secret}
    for name, file in SECRET_FILES.get(properties).items():
        if file:
            own[name.lower()] = _first_line(f"{SECRET_FILES.name}[{name}]", file)
    file = SECRET_FILE.get(properties).strip()
    common = _first_line(SECRET_FILE.name, file) if file else SECRET.get(properties)
    return Secrets(common, own)


def _first_line(name: str, file: str) -> str:
    try:
        path = Path(file.strip())
        lines = path.read_text("utf-8").splitlines()
        warn_of_readers(path, name)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise _unusable(name, f"{file}: {reason}") from error
    if not lines or not lines[0].strip():
        raise _unusable(name, f"{file} has no secret in its first line")
    return lines[0].strip()


def _addresses(text: str) -> frozenset[str]:
    found = set()
    for each in listed(text):
        address = address_of(each)
        if address is None:
            raise _unusable(ADDRESSES.name, f"{each} is not an address")
        found.add(str(address))
    return frozenset(found)


def _unusable(name: str, reason: str) -> BrokerError:
    return BrokerError(Code.RESOURCE_CONFIGURATION, f"{name}: {reason}", "/xmpp/managers")
