"""Names of accounts.

An account serves both tongues: its name is the native login name and the localpart of a JID. So a name must be fit for
both: nothing that a session name (spec xmlblaster §1.3) or a localpart (RFC 7622 §3.3.1) gives a meaning to. Names are
compared exactly, upper and lower case being different, as native clients expect; XMPP maps a localpart to lower case
before it looks the account up, so an account with capitals is for native clients only.
"""

from __future__ import annotations

import unicodedata

from broker.errors import BrokerError, Code
from broker.model.address import MINIMUM_SUBJECT_LENGTH, parse_session_name
from broker.model.cache import cached_if_short

MAXIMUM_NAME_LENGTH = 255
"""Characters of an account name; in UTF-8 it stays below the 1023 bytes of a localpart."""

MAXIMUM_USER_LENGTH = 512
"""Characters of what a client may give as its user; it may be a full session name."""

_KEPT = 10_000
"""Names that are remembered: each login asks."""
_SEPARATORS = frozenset("/:@\"&'<>")


def check_account_name(name: str) -> str:
    """Check that an account may have this name.

    Args:
        name: as the administrator typed it.

    Returns:
        The name in Unicode normalization form C, which is how it must be stored and looked up.

    Raises:
        BrokerError: ``user.illegalArgument`` that says what is wrong with the name.
    """
    name = unicodedata.normalize("NFC", name)
    if len(name) < MINIMUM_SUBJECT_LENGTH:
        raise _refused(f"An account name has at least {MINIMUM_SUBJECT_LENGTH} characters")
    if len(name) > MAXIMUM_NAME_LENGTH:
        raise _refused(f"An account name has at most {MAXIMUM_NAME_LENGTH} characters")
    if name.startswith("_"):
        raise _refused("An account name does not begin with '_', such names are the broker's own")
    for character in name:
        if character in _SEPARATORS:
            raise _refused(f"An account name does not contain {character}")
        if character.isspace():
            raise _refused("An account name does not contain blanks")
        if unicodedata.category(character).startswith("C"):
            raise _refused("An account name does not contain control or unassigned characters")
    return name


@cached_if_short(_KEPT)
def is_account_name(name: str) -> bool:
    """Whether there can be an account of exactly this name."""
    try:
        return check_account_name(name) == name
    except BrokerError:
        return False


def subject_of(user: str) -> str | None:
    """The login name in what a client gave as its user.

    A client may give a session name there; ``joe/1`` logs in as ``joe`` (spec xmlblaster §13.2). The text is read as
    the session name is, so that who is checked is also who gets the session.

    Returns:
        The login name, or ``None`` where the text is no name at all.
    """
    if len(user) > MAXIMUM_USER_LENGTH:
        return None
    try:
        return parse_session_name(user, "").subject
    except BrokerError:
        return None


def _refused(reason: str) -> BrokerError:
    return BrokerError(Code.USER_ILLEGAL_ARGUMENT, reason)
