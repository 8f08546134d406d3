from __future__ import annotations

import pytest
from zope.interface.verify import verifyObject

from broker.auth.anyone import Anyone, Simple
from broker.errors import BrokerError, Code
from broker.ports import IAuthenticator
from tests.auth.support import error_of, login, result_of


@pytest.mark.parametrize("kind", [Anyone, Simple])
def test_everybody_on_this_machine_is_accepted(kind: type[Anyone]) -> None:
    assert verifyObject(IAuthenticator, kind())
    assert result_of(kind().authenticate(login("whoever", ""), "127.0.0.1")) is None


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "", "localhost"])
def test_nobody_from_elsewhere_is_accepted(host: str) -> None:
    error = error_of(Anyone().authenticate(login("joe", "secret"), host))

    assert isinstance(error, BrokerError)
    assert error.code == Code.USER_ACCESS_DENIED


def test_whoever_could_log_in_has_an_account() -> None:
    assert [result_of(Anyone().exists(name)) for name in ("joe", "", "joe/1")] == [True, False, False]
