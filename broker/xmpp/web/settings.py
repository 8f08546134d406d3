"""Properties of what XMPP clients find over HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from broker.config.kinds import TEXT, listed
from broker.config.options import declare
from broker.config.properties import Properties
from broker.errors import BrokerError, Code
from broker.model.host import is_loopback

HOSTS = declare(
    "web.hosts",
    TEXT,
    "",
    "Comma list of more names by which the plugin WEB may be asked, beside xmpp.domain, its hostname and those of"
    " this machine.",
)
PUBLIC_URL = declare(
    "web.publicUrl",
    TEXT,
    "",
    "https://host[:port][/path] by which clients reach the plugin WEB, for host-meta (XEP-0156); empty: there is none.",
)
ORIGINS = declare(
    "websocket.origins",
    TEXT,
    "",
    "Comma list of the origins (https://chat.example) whose pages may use WebSocket; *: all; empty: those of the host"
    " that is asked.",
)


@dataclass(frozen=True, slots=True)
class WebSettings:
    """The properties above, read.

    Args:
        hosts: names by which the site may be asked.
        public_url: without a slash at its end; empty for none.
        origins: whose pages may use WebSocket.
    """

    hosts: tuple[str, ...] = ()
    public_url: str = ""
    origins: tuple[str, ...] = ()


def web_settings_of(properties: Properties) -> WebSettings:
    """Read the settings.

    Raises:
        BrokerError: ``resource.configuration`` for a value that cannot be used.
    """
    return WebSettings(
        hosts=tuple(listed(HOSTS.get(properties))),
        public_url=_public_url(PUBLIC_URL.get(properties).strip()),
        origins=tuple(listed(ORIGINS.get(properties))),
    )


def _public_url(text: str) -> str:
    """The address, which is secure unless it is of this machine (XEP-0156 §4)."""
    if not text:
        return ""
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
        is_usable = parts.scheme in ("http", "https") and bool(host) and not (parts.query or parts.fragment)
        is_local = host == "localhost" or is_loopback(host)
    except ValueError:
        is_usable = is_local = False
    if not is_usable:
        raise BrokerError(Code.RESOURCE_CONFIGURATION, f"{PUBLIC_URL.name}: '{text}' is not of the form https://host")
    if parts.scheme == "http" and not is_local:
        raise BrokerError(Code.RESOURCE_CONFIGURATION, f"{PUBLIC_URL.name}: '{text}' must begin with https://")
    return text.rstrip("/")
