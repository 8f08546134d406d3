"""The one answer to a login that is refused."""

from __future__ import annotations

from broker.errors import BrokerError, Code


def access_denied() -> BrokerError:
    """The error for a wrong password and for an unknown user alike, so that it does not tell who exists."""
    return BrokerError(Code.USER_ACCESS_DENIED, "The user name or the password is wrong")
