"""Attacks from ever new addresses of one network, which count as one address."""

from __future__ import annotations

import time
from functools import partial

from broker.errors import Code
from tests.campaign.attack import LOGIN_SECONDS, MAX_PENDING, Attack, NotRefused, Stage, open_after, refused, shut
from tests.campaign.native_attacks import storm
from tests.campaign.talkers import Line

FAILURES = 10 * 10
"""Failed logins that one address may have in a minute, over accounts that have no failures."""
SETTLED = 0.5
"""Seconds after which what is refused is closed."""


def silent(stage: Stage) -> str:
    """Thousands of connections that say nothing; most are refused at once, and all are closed in time."""
    lines: list[Line] = []
    until = time.monotonic() + LOGIN_SECONDS - 1  # while none has been closed because it said nothing
    for _ in range(stage.count(5000)):
        if time.monotonic() > until:
            break
        try:
            lines.append(stage.stranger())
        except OSError:
            continue
    admitted = open_after(lines, SETTLED)
    left = open_after(lines, LOGIN_SECONDS + 5)
    shut(lines)
    if admitted > MAX_PENDING:
        raise NotRefused(f"{admitted} of {len(lines)} were let in, {MAX_PENDING} are allowed")
    if left:
        raise NotRefused(f"{left} of {len(lines)} stay open")
    return f"{len(lines) - admitted} of {len(lines)} refused"


def logins(stage: Stage) -> str:
    """Guesses, each of another account."""
    checked: list[int] = []
    told = storm(stage, partial(_guess, stage, checked))
    most = FAILURES + stage.count(10) * FAILURES // 60 + 1
    if len(checked) > most:
        raise NotRefused(f"{len(checked)} guesses were checked, {most} are allowed")
    return f"{told}, {len(checked)} of them checked"


def _guess(stage: Stage, checked: list[int], number: int) -> None:
    with stage.stranger() as talker:
        answer = talker.log_in(f"nobody{number}", password="guess")
        if refused(answer, Code.USER_ACCESS_DENIED, Code.RESOURCE_TEMPORARY_UNAVAILABLE) == Code.USER_ACCESS_DENIED:
            checked.append(number)


ATTACKS = (
    Attack("IPv6: thousands that say nothing, of one network", silent, slow=True, needs_network=True),
    Attack("IPv6: login storm from one network", logins, needs_network=True),
)
