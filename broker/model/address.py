"""Addresses of subjects and sessions on a node (native names, spec xmlblaster §1.3)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from broker.errors import BrokerError, Code
from broker.model.cache import cached_if_short
from broker.model.number import whole

MINIMUM_SUBJECT_LENGTH = 2
MAXIMUM_LENGTH = 1024
"""Characters of a name in any spelling."""
_NUMBER = re.compile("-?[0-9]{1,18}")  # so that a store has room for it


@dataclass(frozen=True, slots=True)
class SessionName:
    """The name of a subject or of one of its sessions.

    Args:
        node: id of the node that owns the subject.
        subject: login name.
        public_id: ``> 0`` chosen by the client, ``< 0`` given by the server, ``0`` the subject itself.
    """

    node: str
    subject: str
    public_id: int = 0

    @property
    def absolute(self) -> str:
        """``/node/heron/client/joe/1``, the form that is written to clients."""
        return f"/node/{self.node}/{self.relative}"

    @property
    def relative(self) -> str:
        """``client/joe/1``."""
        if self.public_id:
            return f"client/{self.subject}/{self.public_id}"
        return f"client/{self.subject}"

    @property
    def marked(self) -> str:
        """``client/joe/session/1``, the form inside subscription ids made by clients."""
        if self.public_id:
            return f"client/{self.subject}/session/{self.public_id}"
        return f"client/{self.subject}"

    @property
    def is_session(self) -> bool:
        """Whether this names one session rather than its subject."""
        return self.public_id != 0

    @property
    def is_internal(self) -> bool:
        """Whether the subject is reserved for the broker itself or its plugins (spec §1.2)."""
        return self.subject.startswith("_")

    def of_subject(self) -> SessionName:
        """The name of the subject that this session belongs to."""
        return SessionName(self.node, self.subject) if self.public_id else self

    def with_id(self, public_id: int) -> SessionName:
        """The name of another session of the same subject."""
        return SessionName(self.node, self.subject, public_id)

    def __str__(self) -> str:
        return self.absolute


@cached_if_short(4096)
def parse_session_name(text: str, node: str) -> SessionName:
    """Read any accepted spelling of a subject or session name.

    Args:
        text: ``/node/heron/client/joe/1``, ``client/joe/session/1``, ``joe/1`` or ``joe``.
        node: the node id to use where the text names none.

    Raises:
        BrokerError: ``user.illegalArgument`` for anything else.
    """
    if len(text) > MAXIMUM_LENGTH:
        raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, f"a session name of {len(text)} characters is too long")
    rest = text.strip()
    if rest.startswith("/"):
        parts = rest.split("/")
        if len(parts) < 5 or parts[1] != "node" or parts[3] != "client" or not parts[2]:
            raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, f"'{text[:256]}' is not a session name")
        node, parts = parts[2], parts[4:]
    else:
        parts = rest.split("/")
        if parts[0] == "client" and len(parts) > 1:
            parts = parts[1:]
    if len(parts) == 3 and parts[1] == "session":
        parts = [parts[0], parts[2]]
    if len(parts) > 2 or not parts[0]:
        raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, f"'{text[:256]}' is not a session name")
    number = parts[1] if len(parts) == 2 else ""
    if number and not _NUMBER.fullmatch(number):
        raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, f"'{text[:256]}' has a session number that is no number")
    return SessionName(node, parts[0], whole(number or "0", "the session number"))


def stripped_node_id(node: str) -> str:
    """The node id as it may stand inside generated oids and file names (spec §1.3)."""
    kept = node.replace("/", "").replace("\\", "")
    return "".join("_" if c in " .:[]" else c for c in kept)
