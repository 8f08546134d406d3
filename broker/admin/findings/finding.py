"""Something that is wrong, and what to do."""

from __future__ import annotations

from enum import StrEnum

import msgspec

LINKS = "/api/v1"


class Severity(StrEnum):
    """How much it matters."""

    CRITICAL = "critical"
    """Clients feel it."""
    WARNING = "warning"
    """They will, unless somebody acts."""
    NOTICE = "notice"
    """It may be meant to be so."""


RANKS = {each: rank for rank, each in enumerate(Severity)}
"""The worst first."""


class Finding(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """Something that is wrong, or soon will be.

    Args:
        code: which kind of thing.
        severity: of it.
        title: one sentence, with the numbers.
        clients: what it means for clients.
        what_to_do: one or two sentences.
        evidence: the numbers.
        href: where the API has more.
        doc: page and heading of the documentation.
    """

    code: str
    severity: Severity
    title: str
    clients: str
    what_to_do: str
    evidence: dict[str, int | float | str] = {}
    href: str = ""
    doc: str = ""
