from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from zope.interface import implementer

from broker.auth.accounts import StoredAccounts
from broker.auth.anyone import Simple
from broker.auth.denial import access_denied
from broker.auth.scram import MINIMUM_ITERATIONS
from broker.auth.services import SecurityServices
from broker.auth.throttle import LoginThrottle
from broker.errors import BrokerError, Code
from broker.model.connect import Credentials
from broker.ports import IAuthenticator
from tests.auth.support import AccountShelf, InlineExecutor, Logged, account, error_of, login, result_of

HOST = "192.0.2.1"
THROTTLED = "Too many failed logins from this address, try again later"


@implementer(IAuthenticator)
class Scripted:
    """Accepts one password, and notes what it was asked; answers when it is told to where it is held."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.held: list[Deferred[None]] | None = None
        self.error = access_denied()

    def authenticate(self, credentials: Credentials, host: str) -> Deferred[None]:
        self.asked.append(credentials.user)
        if self.held is not None:
            self.held.append(Deferred())
            return self.held[-1]
        return succeed(None) if credentials.password == "right" else fail(self.error)


class Setting:
    """The services of a broker with the account ``joe`` (``secret``), and a scripted htpasswd service."""

    def __init__(self, *, throttle: LoginThrottle | None = None, parallel: int = 64, waiting: int = 100) -> None:
        self.clock = Clock()
        self.htpasswd = Scripted()
        self.accounts = StoredAccounts(
            AccountShelf(account("joe", "secret")).store, InlineExecutor(), iterations=MINIMUM_ITERATIONS
        )
        self.throttle = LoginThrottle() if throttle is None else throttle
        self.services = SecurityServices(
            self.accounts, self.throttle, self.clock, htpasswd=self.htpasswd, parallel=parallel, waiting=waiting
        )

    def start(self, credentials: Credentials | None, host: str = HOST) -> Deferred[None]:
        return Deferred.fromCoroutine(self.services.authenticate(credentials, host))

    def fail_times(self, count: int) -> None:
        for _ in range(count):
            assert denied(self.start(login("joe", "wrong"))) == access_denied().message


def denied(work: Deferred[None]) -> str:
    error = error_of(work)
    assert isinstance(error, BrokerError)
    assert error.code == Code.USER_ACCESS_DENIED
    return error.message


@pytest.fixture
def setting() -> Setting:
    return Setting()


def test_a_login_goes_to_the_service_that_it_names(setting: Setting) -> None:
    assert result_of(setting.start(login("jim", "right", "htpasswd"))) is None
    assert setting.htpasswd.asked == ["jim"]

    assert result_of(setting.start(login("joe", "secret", "accounts"))) is None
    assert setting.htpasswd.asked == ["jim"]


def test_without_a_file_the_stored_accounts_answer_to_htpasswd() -> None:
    setting = Setting()
    services = SecurityServices(setting.accounts, setting.throttle, setting.clock)

    assert result_of(services.authenticate(login("joe", "secret"), HOST)) is None
    assert isinstance(error_of(services.authenticate(login("joe", "wrong"), HOST)), BrokerError)


def test_simple_is_served_only_where_it_is_configured(setting: Setting) -> None:
    credentials = login("whoever", "", "simple")
    error = error_of(setting.start(credentials, "127.0.0.1"))
    assert isinstance(error, BrokerError)
    assert error.code == Code.USER_AUTHENTICATION_ILLEGAL_ARGUMENT

    services = SecurityServices(setting.accounts, setting.throttle, setting.clock, simple=Simple())
    assert result_of(services.authenticate(credentials, "127.0.0.1")) is None


@pytest.mark.parametrize(
    "credentials",
    [
        None,
        Credentials("", "joe", "secret"),
        Credentials("htpasswd", "", "secret"),
        Credentials("ldap", "joe", "secret"),
        Credentials("htpasswd", "joe", "secret", "2.0"),
    ],
)
def test_a_missing_incomplete_or_unknown_service_is_an_illegal_argument(
    setting: Setting, credentials: Credentials | None
) -> None:
    error = error_of(setting.start(credentials))

    assert isinstance(error, BrokerError)
    assert error.code == Code.USER_AUTHENTICATION_ILLEGAL_ARGUMENT
    assert setting.htpasswd.asked == []


def test_after_ten_failures_the_address_is_refused_late_and_without_a_check(setting: Setting) -> None:
    setting.fail_times(10)

    refused = setting.start(login("joe", "right"))
    assert not refused.called
    setting.clock.advance(4.9)
    assert not refused.called
    setting.clock.advance(0.1)
    assert denied(refused) == THROTTLED
    assert len(setting.htpasswd.asked) == 10


def test_a_login_that_was_not_checked_is_refused_although_the_address_is_free_a_moment_later() -> None:
    class Lenient(LoginThrottle):
        """Forgives between the first and the second time that it is asked."""

        asked = 0

        def delay(self, host: str, now: float) -> float:
            self.asked += 1
            return 0.5 if self.asked == 1 else 0.0

    setting = Setting(throttle=Lenient())
    refused = setting.start(login("joe", "wrong"))
    setting.clock.advance(0.5)

    assert denied(refused) == THROTTLED
    assert setting.htpasswd.asked == []


def test_other_addresses_log_in_meanwhile(setting: Setting) -> None:
    setting.fail_times(10)

    assert result_of(setting.start(login("joe", "right"), "192.0.2.2")) is None


def test_the_address_may_try_again_after_some_time(setting: Setting) -> None:
    setting.fail_times(10)
    setting.clock.advance(6)

    assert result_of(setting.start(login("joe", "right"))) is None


def test_success_does_not_pay_for_failures(setting: Setting) -> None:
    setting.fail_times(9)
    result_of(setting.start(login("joe", "right")))
    setting.fail_times(1)

    assert not setting.start(login("joe", "right")).called


def test_only_a_wrong_user_or_password_counts_as_a_failure(setting: Setting) -> None:
    setting.htpasswd.error = BrokerError(Code.RESOURCE_DB_UNAVAILABLE, "no database")
    for _ in range(20):
        error_of(setting.start(login("joe", "wrong")))

    assert result_of(setting.start(login("joe", "right"))) is None


def test_guesses_that_are_sent_all_at_once_see_the_first_ones_fail() -> None:
    setting = Setting(parallel=2)
    setting.htpasswd.held = []
    guesses = [setting.start(login("joe", "wrong")) for _ in range(50)]

    while setting.htpasswd.held:
        setting.htpasswd.held.pop(0).errback(access_denied())
    assert len(setting.htpasswd.asked) <= 10 + 2
    setting.clock.advance(5)
    assert all(guess.called for guess in guesses)
    for guess in guesses:
        denied(guess)


def test_those_who_wait_for_a_refusal_take_nobodys_turn() -> None:
    setting = Setting(parallel=1)
    setting.fail_times(10)
    refused = setting.start(login("joe", "wrong"))

    assert result_of(setting.start(login("jim", "right"), "192.0.2.2")) is None
    refused.addErrback(lambda failure: None)


def test_no_more_than_a_limit_wait_for_their_turn() -> None:
    setting = Setting(parallel=1, waiting=2)
    setting.htpasswd.held = []
    logins = [setting.start(login("joe", "right")) for _ in range(4)]

    error = error_of(logins[3])
    assert isinstance(error, BrokerError)
    assert error.code == Code.RESOURCE_TEMPORARY_UNAVAILABLE
    while setting.htpasswd.held:
        setting.htpasswd.held.pop(0).callback(None)
    assert [result_of(each) for each in logins[:3]] == [None] * 3


def test_a_login_that_is_given_up_while_it_waits_gives_back_its_turn() -> None:
    setting = Setting(parallel=1)
    setting.htpasswd.held = []
    first, given_up, last = (setting.start(login(user, "right")) for user in ("first", "given up", "last"))
    given_up.addErrback(lambda failure: None)
    given_up.cancel()

    setting.htpasswd.held.pop(0).callback(None)
    setting.htpasswd.held.pop(0).callback(None)
    assert [result_of(each) for each in (first, last)] == [None, None]
    assert setting.htpasswd.asked == ["first", "last"]


def test_a_protocol_that_checks_logins_itself_asks_and_tells(setting: Setting) -> None:
    for _ in range(10):
        result_of(setting.services.admit(HOST))
        setting.services.failed("joe", HOST)

    refused = Deferred.fromCoroutine(setting.services.admit(HOST))
    assert not refused.called
    setting.clock.advance(5)
    assert denied(refused) == THROTTLED


def test_verifiers_of_stored_accounts_are_looked_up(setting: Setting) -> None:
    record = result_of(setting.services.verifier("joe"))

    assert record is not None
    assert record.name == "joe"
    assert result_of(setting.services.verifier("jim")) is None


def test_a_failed_login_is_logged_with_its_address_and_without_its_password(setting: Setting, logged: Logged) -> None:
    denied(setting.start(login("jo\ne" + "x" * 1000, "hunter2")))

    (line,) = logged.of_level("warn")
    assert line.startswith("Login of 'jo\\nexxx")
    assert line.endswith("from 192.0.2.1 refused")
    assert len(line) < 150
    assert "hunter2" not in logged.raw
