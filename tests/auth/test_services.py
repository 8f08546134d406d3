from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from zope.interface import implementer

from broker.auth.accounts import StoredAccounts
from broker.auth.anyone import Simple
from broker.auth.denial import access_denied
from broker.auth.scram import MINIMUM_ITERATIONS, Mechanism
from broker.auth.services import MAX_WAIT, SecurityServices
from broker.auth.throttle import LoginThrottle
from broker.errors import BrokerError, Code
from broker.model.connect import Credentials
from broker.ports import IAuthenticator
from tests.auth.support import AccountShelf, InlineExecutor, Logged, account, error_of, login, result_of

HOST = "192.0.2.1"
THROTTLED = "Too many failed logins, try again later"


@implementer(IAuthenticator)
class Scripted:
    """Accepts one password, and notes what it was asked; answers when it is told to where it is held."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.held: list[Deferred[None]] | None = None
        self.error = access_denied()

    async def authenticate(self, credentials: Credentials, host: str) -> None:
        self.asked.append(credentials.user)
        if self.held is not None:
            answer: Deferred[None] = Deferred()
            self.held.append(answer)
            await answer
        elif credentials.password != "right":
            raise self.error

    async def exists(self, name: str) -> bool:
        return name == "joe"


class Setting:
    """The services of a broker with a scripted source of accounts."""

    def __init__(self, *, throttle: LoginThrottle | None = None, parallel: int = 64, waiting: int = 100) -> None:
        self.clock = Clock()
        self.source = Scripted()
        self.throttle = LoginThrottle() if throttle is None else throttle
        self.services = SecurityServices(self.source, self.throttle, self.clock, parallel=parallel, waiting=waiting)

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


def throttled(work: Deferred[Any]) -> str:
    error = error_of(work)
    assert isinstance(error, BrokerError)
    assert error.code == Code.RESOURCE_TEMPORARY_UNAVAILABLE
    return error.message


@pytest.fixture
def setting() -> Setting:
    return Setting()


@pytest.mark.parametrize("type", ["htpasswd", "accounts"])
def test_one_source_of_accounts_answers_to_every_name(setting: Setting, type: str) -> None:
    assert result_of(setting.start(login("jim", "right", type))) is None
    assert denied(setting.start(login("jim", "wrong", type))) == access_denied().message
    assert setting.source.asked == ["jim", "jim"]
    assert result_of(setting.services.exists("joe"))
    assert not result_of(setting.services.exists("jim"))


def test_scram_is_offered_where_accounts_have_verifiers() -> None:
    setting = Setting()
    assert not setting.services.offers_scram

    accounts = StoredAccounts(
        AccountShelf(account("joe", "secret")).store, InlineExecutor(), b"key", iterations=MINIMUM_ITERATIONS
    )
    services = SecurityServices(accounts, setting.throttle, setting.clock, verifiers=accounts)
    assert services.offers_scram
    salt, *_ = result_of(services.scram("SCRAM-SHA-1", "joe"))
    assert salt == result_of(accounts.verifier(Mechanism.SHA_1, "joe")).salt


def test_simple_is_served_only_where_it_is_configured(setting: Setting) -> None:
    credentials = login("whoever", "", "simple")
    error = error_of(setting.start(credentials, "127.0.0.1"))
    assert isinstance(error, BrokerError)
    assert error.code == Code.USER_AUTHENTICATION_ILLEGAL_ARGUMENT

    services = SecurityServices(setting.source, setting.throttle, setting.clock, simple=Simple())
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
    assert setting.source.asked == []


def test_after_ten_failures_an_account_is_refused_late_without_a_check_and_for_a_while(setting: Setting) -> None:
    setting.fail_times(10)

    refused = setting.start(login("joe", "right"))
    assert not refused.called
    setting.clock.advance(4.9)
    assert not refused.called
    setting.clock.advance(0.1)
    assert throttled(refused) == THROTTLED
    assert len(setting.source.asked) == 10


@pytest.mark.parametrize("user", ["joe/1", "client/joe/2", "joe"])
def test_every_spelling_of_a_name_is_one_account(setting: Setting, user: str) -> None:
    setting.fail_times(10)
    assert not setting.start(login(user, "right")).called


def test_others_log_in_meanwhile_from_the_same_address_and_the_account_from_where_it_has_been(setting: Setting) -> None:
    assert result_of(setting.start(login("joe", "right"), "192.0.2.2")) is None
    setting.fail_times(10)

    assert result_of(setting.start(login("jim", "right"))) is None
    assert result_of(setting.start(login("joe", "right"), "192.0.2.2")) is None


def test_the_address_may_try_again_after_some_time(setting: Setting) -> None:
    setting.fail_times(10)
    setting.clock.advance(6)

    assert result_of(setting.start(login("joe", "right"))) is None


def test_success_does_not_pay_for_failures(setting: Setting) -> None:
    setting.fail_times(9)
    result_of(setting.start(login("joe", "right")))
    denied(setting.start(login("joe", "wrong"), "192.0.2.2"))

    assert not setting.start(login("joe", "right"), "192.0.2.2").called


def test_only_a_wrong_user_or_password_counts_as_a_failure(setting: Setting) -> None:
    setting.source.error = BrokerError(Code.RESOURCE_DB_UNAVAILABLE, "no database")
    for _ in range(20):
        error_of(setting.start(login("joe", "wrong")))

    assert result_of(setting.start(login("joe", "right"))) is None


def test_of_guesses_that_are_sent_all_at_once_ten_are_checked() -> None:
    setting = Setting()
    setting.source.held = []
    guesses = [setting.start(login("joe", "wrong")) for _ in range(50)]

    assert len(setting.source.asked) == 10
    while setting.source.held:
        setting.source.held.pop(0).errback(access_denied())
    for _ in range(50):
        setting.clock.advance(0.1)
    setting.clock.advance(5)
    assert len(setting.source.asked) <= 11, "one is free again after six seconds"
    assert all(guess.called for guess in guesses)
    assert [type(error_of(guess)) for guess in guesses] == [BrokerError] * 50


def test_right_logins_that_come_all_at_once_all_succeed() -> None:
    setting = Setting()
    setting.source.held = []
    logins = [setting.start(login("joe", "right")) for _ in range(50)]

    while setting.source.held:
        setting.source.held.pop(0).callback(None)
        setting.clock.advance(0)
    assert [result_of(each) for each in logins] == [None] * 50


def test_a_login_does_not_wait_for_others_without_end() -> None:
    setting = Setting(throttle=LoginThrottle(failures=1))
    setting.source.held = []
    first, second = (setting.start(login("joe", "right")) for _ in range(2))
    setting.clock.advance(MAX_WAIT)
    throttled(second)
    setting.source.held.pop(0).callback(None)
    assert result_of(first) is None


def test_those_who_wait_for_a_refusal_take_nobodys_turn() -> None:
    setting = Setting(parallel=1)
    setting.fail_times(10)
    refused = setting.start(login("joe", "wrong"))

    assert result_of(setting.start(login("jim", "right"), "192.0.2.2")) is None
    refused.addErrback(lambda failure: None)


def test_no_more_than_a_limit_wait_for_their_turn() -> None:
    setting = Setting(parallel=1, waiting=2)
    setting.source.held = []
    logins = [setting.start(login("joe", "right")) for _ in range(4)]

    error = error_of(logins[3])
    assert isinstance(error, BrokerError)
    assert error.code == Code.RESOURCE_TEMPORARY_UNAVAILABLE
    while setting.source.held:
        setting.source.held.pop(0).callback(None)
        setting.clock.advance(0)
    assert [result_of(each) for each in logins[:3]] == [None] * 3


def test_a_thousand_that_wait_for_one_turn_are_all_checked_when_each_is_answered_at_once() -> None:
    setting = Setting(parallel=1, waiting=1000)
    setting.source.held = []
    first = setting.start(login("joe", "right"))
    (answer,), setting.source.held = setting.source.held, None
    others = [setting.start(login(f"user{number}", "right"), f"192.0.{number % 250}.1") for number in range(1000)]
    answer.callback(None)
    setting.clock.pump([0] * 1000)
    assert [result_of(each) for each in (first, *others)] == [None] * 1001


def test_a_login_that_is_given_up_while_it_waits_gives_back_its_turn() -> None:
    setting = Setting(parallel=1)
    setting.source.held = []
    first, given_up, last = (setting.start(login(user, "right")) for user in ("first", "given up", "last"))
    given_up.addErrback(lambda failure: None)
    given_up.cancel()

    setting.source.held.pop(0).callback(None)
    setting.clock.advance(0)
    setting.source.held.pop(0).callback(None)
    assert [result_of(each) for each in (first, last)] == [None, None]
    assert setting.source.asked == ["first", "last"]


@pytest.mark.parametrize("outcome", ["failed", "given_up"])
def test_a_protocol_that_checks_logins_itself_begins_them_and_tells_the_outcome(
    setting: Setting, logged: Logged, outcome: str
) -> None:
    for _ in range(10):
        getattr(result_of(setting.services.begin("joe", HOST)), outcome)()

    refused = Deferred.fromCoroutine(setting.services.begin("joe", HOST))
    assert not refused.called
    setting.clock.advance(5)
    assert throttled(refused) == THROTTLED
    # one line for all that were given up; of those that failed the protocol tells
    lines = ["login principal=joe peer=192.0.2.1 outcome='given up'"]
    assert logged.of_level("warn") == (lines if outcome == "given_up" else [])
