"""Properties of BOSH (XEP-0124)."""

from __future__ import annotations

from dataclasses import dataclass

from broker.config.kinds import TEXT, integer, listed, size
from broker.config.options import declare
from broker.config.properties import Properties
from broker.xmpp.wire.sm import MAX_WINDOW

MAX_BODY = declare("bosh.maxBody", size(10_000), 1 << 20, "Longest body of a request over BOSH.")
MAX_WAIT = declare("bosh.maxWait", integer(1, 300), 60, "Seconds that a request may wait for its answer, at most.")
RESUME_TIMEOUT = declare(
    "bosh.resumeTimeout",
    integer(1, MAX_WINDOW),
    600,
    "Seconds that a session over BOSH is kept behind its time of inactivity, for a client that has lost its network.",
)
ORIGINS = declare(
    "bosh.origins",
    TEXT,
    "",
    "Comma list of the origins (https://chat.example) whose pages may use BOSH, beside the host's own; *: all.",
)


@dataclass(frozen=True, slots=True)
class BoshSettings:
    """The properties above, read. Times in seconds.

    Args:
        max_body: longest body of a request, in bytes.
        max_body_before_login: the same of a client that has not logged in.
        max_wait: that a request may wait.
        inactivity: that a client may be without a request, as it is told.
        resume_timeout: that it is waited for behind that.
        polling: between two empty requests of a client that has its requests answered at once.
        max_pause: that a client may be silent if it asks (XEP-0124 §10).
        max_strangers: sessions of clients that have not logged in.
        origins: whose pages may use it.
    """

    max_body: int = 1 << 20
    max_body_before_login: int = 16 << 10
    max_wait: int = 60
    inactivity: int = 60
    resume_timeout: int = 600
    polling: int = 5
    max_pause: int = 300
    max_strangers: int = 1000
    origins: tuple[str, ...] = ()


def bosh_settings_of(properties: Properties) -> BoshSettings:
    """Read the settings.

    Raises:
        BrokerError: ``resource.configuration`` for a value that cannot be used.
    """
    return BoshSettings(
        max_body=MAX_BODY.get(properties),
        max_wait=MAX_WAIT.get(properties),
        resume_timeout=RESUME_TIMEOUT.get(properties),
        origins=tuple(listed(ORIGINS.get(properties))),
    )
