"""New passwords: the one place where they are judged, whoever gives them (operations §1.11)."""

from __future__ import annotations

from broker.auth.scram import MAXIMUM_PASSWORD_LENGTH, make_account
from broker.config.kinds import integer
from broker.config.options import Effect, declare
from broker.config.properties import Properties
from broker.errors import BrokerError, Code
from broker.model.records import AccountRecord

MIN_PASSWORD = declare(
    "account.minPasswordLength",
    integer(1, MAXIMUM_PASSWORD_LENGTH),
    6,
    "Characters that a new password has at least, whoever gives it; passwords that are there stay good.",
    change=Effect.NOW,
)


def account_with_password(properties: Properties, name: str, password: str, created: int) -> AccountRecord:
    """Make the record of a new account, or of one that gets a new password. It takes a while.

    Args:
        properties: of the broker.
        name: checked by :func:`broker.auth.names.check_account_name`.
        password: in clear; it is not kept.
        created: milliseconds since 1970.

    Raises:
        BrokerError: ``user.illegalArgument`` for a password that is too short, or a name or password that cannot be
            one; ``resource.configuration`` where the property cannot be used.
    """
    least = MIN_PASSWORD.get(properties)
    if len(password) < least:
        raise BrokerError(Code.USER_ILLEGAL_ARGUMENT, f"A password has at least {least} characters")
    return make_account(name, password, created=created)
