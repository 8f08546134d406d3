"""Accounts that some cases need beside the usual ones."""

from __future__ import annotations

from bench.system import Settings

_PASSWORD = "secret"


def more_accounts(usual: dict[str, str], settings: Settings) -> dict[str, str]:
    """The usual accounts, and ``user0`` to ``user9`` where the setting ``accounts`` is 10."""
    more = {f"user{number}": _PASSWORD for number in range(int(settings.get("accounts", "0")))}
    return {**usual, **more}
