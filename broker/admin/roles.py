"""Who may administrate what."""

from __future__ import annotations

from enum import IntEnum, StrEnum


class Role(IntEnum):
    """What somebody is to administration; each may do what those before it may."""

    NOBODY = 0
    MONITORING = 1
    OPERATOR = 2
    ADMINISTRATOR = 3

    @property
    def label(self) -> str:
        """As the API has it; empty for nobody."""
        return self.name.lower() if self else ""


def role_of(label: str) -> Role:
    """The role of a label; nobody's where it is none."""
    return next((role for role in Role if role.label == label), Role.NOBODY)


class SocketRole(StrEnum):
    """The roles that the group of a Unix socket may have."""

    MONITORING = "monitoring"
    OPERATOR = "operator"
    ADMINISTRATOR = "administrator"

    @property
    def role(self) -> Role:
        """The role itself."""
        return Role[self.name]


class Right(StrEnum):
    """Who may use a route: everybody, or whoever has at least a role."""

    ALL = "all"
    MONITORING = "monitoring"
    OPERATOR = "operator"
    ADMINISTRATOR = "administrator"

    @property
    def role(self) -> Role:
        """The least role that has it."""
        return Role.NOBODY if self is Right.ALL else Role[self.name]
