"""Which clients take part in a campaign."""

from __future__ import annotations

from argparse import ArgumentParser, BooleanOptionalAction, Namespace
from dataclasses import dataclass

SHARE = 0.5
"""Of the XMPP clients' connections, what goes over connection managers."""


@dataclass(frozen=True, slots=True)
class Participants:
    """Those that can be left out.

    Args:
        share: of the XMPP clients' connections that go over connection managers; at 0 there are none.
        bosh: there are clients over BOSH.
    """

    share: float = SHARE
    bosh: bool = False

    @property
    def options(self) -> list[str]:
        """What the command line says of them."""
        return ["--managers", f"{self.share:g}", "--bosh" if self.bosh else "--no-bosh"]


def add_options(parser: ArgumentParser) -> None:
    """Have a command take them."""
    parser.add_argument(
        "--managers",
        type=float,
        default=SHARE,
        metavar="SHARE",
        help=f"of the XMPP clients' connections that go over connection managers ({SHARE}); 0: there are none",
    )
    parser.add_argument(
        "--bosh", action=BooleanOptionalAction, default=False, help="have clients over BOSH take part, or not"
    )


def participants_of(given: Namespace) -> Participants:
    """What a command was given."""
    return Participants(given.managers, given.bosh)
