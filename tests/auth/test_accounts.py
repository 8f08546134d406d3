from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred, fail
from zope.interface.verify import verifyObject

from broker.auth.accounts import StoredAccounts
from broker.auth.scram import MINIMUM_ITERATIONS, Mechanism, Verifier
from broker.errors import BrokerError, Code
from broker.model.records import AccountRecord
from broker.ports import IAuthenticator
from tests.auth.support import AccountShelf, HeldExecutor, InlineExecutor, Logged, account, error_of, login, result_of

HOST = "192.0.2.1"


class Setting:
    """Stored accounts with one user, ``joe`` with the password ``secret``."""

    def __init__(self) -> None:
        self.shelf = AccountShelf(account("joe", "secret"))
        self.run = InlineExecutor()
        self.accounts = StoredAccounts(self.shelf.store, self.run, iterations=MINIMUM_ITERATIONS)

    def attempt(self, user: str, password: str) -> Exception | None:
        try:
            result_of(self.accounts.authenticate(login(user, password), HOST))
        except BrokerError as error:
            return error
        return None


@pytest.fixture
def setting() -> Setting:
    return Setting()


def test_it_provides_the_port(setting: Setting) -> None:
    assert verifyObject(IAuthenticator, setting.accounts)


@pytest.mark.parametrize("user", ["joe", "joe/1", "client/joe/-2"])
def test_the_right_password_is_accepted_for_every_spelling_of_the_user(setting: Setting, user: str) -> None:
    assert setting.attempt(user, "secret") is None


@pytest.mark.parametrize(
    ("user", "password"),
    [
        ("joe", "wrong"),
        ("joe", ""),
        ("joe", "secret\0"),
        ("joe", "x" * 5000),
        ("Joe", "secret"),
        ("jim", "secret"),
        ("", "secret"),
        ("jo\0e", "secret"),
        ("joe/x/y/z", "secret"),
        ("x" * 5000, "secret"),
    ],
)
def test_every_other_login_gets_one_and_the_same_error(setting: Setting, user: str, password: str) -> None:
    error = setting.attempt(user, password)

    assert isinstance(error, BrokerError)
    assert error.code == Code.USER_ACCESS_DENIED
    assert error.args == (Code.USER_ACCESS_DENIED, "The user name or the password is wrong", "")


@pytest.mark.parametrize("user", ["joe", "jim", "", "jo\0e"])
def test_a_refusal_costs_one_derivation_whether_the_user_exists_or_not(setting: Setting, user: str) -> None:
    setting.attempt(user, "wrong")

    assert len(setting.run.works) == 1
    (work,) = setting.run.works
    verifier = work.__self__  # type: ignore[attr-defined]
    assert isinstance(verifier, Verifier)
    assert (verifier.mechanism, verifier.iterations) == (Mechanism.SHA_256, MINIMUM_ITERATIONS)


def test_a_name_that_cannot_be_an_account_does_not_reach_the_store(setting: Setting) -> None:
    setting.attempt("jo\0e", "secret")

    assert setting.shelf.asked == []


def test_reconnects_read_the_account_but_do_not_derive_again(setting: Setting) -> None:
    for _ in range(5):
        assert setting.attempt("joe", "secret") is None

    assert len(setting.run.works) == 1
    assert setting.shelf.asked == ["joe"] * 5


def test_a_wrong_password_is_derived_even_after_the_right_one(setting: Setting) -> None:
    setting.attempt("joe", "secret")

    assert setting.attempt("joe", "wrong") is not None
    assert len(setting.run.works) == 2


def test_a_changed_password_counts_from_the_next_login_on(setting: Setting) -> None:
    setting.attempt("joe", "secret")
    setting.shelf.keep(account("joe", "fresh"))

    assert setting.attempt("joe", "secret") is not None
    assert setting.attempt("joe", "fresh") is None


def test_a_removed_account_counts_from_the_next_login_on(setting: Setting) -> None:
    setting.attempt("joe", "secret")
    kept = setting.shelf.records.pop("joe")
    assert setting.attempt("joe", "secret") is not None

    setting.shelf.keep(kept)
    setting.run.works.clear()
    assert setting.attempt("joe", "secret") is None
    assert len(setting.run.works) == 1, "its credentials were forgotten with it"


def test_the_derivation_is_not_done_by_the_caller() -> None:
    run = HeldExecutor()
    accounts = StoredAccounts(AccountShelf(account("joe", "secret")).store, run)

    deferred = accounts.authenticate(login("joe", "secret"), HOST)
    assert not deferred.called
    run.release()
    assert result_of(deferred) is None


def test_a_store_that_fails_is_not_a_wrong_password() -> None:
    class Broken(AccountShelf):
        def get_account(self, name: str) -> Deferred[AccountRecord | None]:
            return fail(BrokerError(Code.RESOURCE_DB_UNAVAILABLE, "no database"))

    accounts = StoredAccounts(Broken().store, InlineExecutor())
    error = error_of(accounts.authenticate(login("joe", "secret"), HOST))

    assert isinstance(error, BrokerError)
    assert error.code == Code.RESOURCE_DB_UNAVAILABLE


def test_a_damaged_verifier_is_an_error_of_the_store_that_does_not_quote_it(setting: Setting) -> None:
    setting.shelf.keep(AccountRecord("joe", "damaged", "damaged", 0))

    error = setting.attempt("joe", "secret")
    assert isinstance(error, BrokerError)
    assert error.code == Code.RESOURCE_DB_UNKNOWN
    assert "damaged" not in str(error)


def test_verifiers_are_looked_up_by_exact_name(setting: Setting) -> None:
    assert result_of(setting.accounts.verifier("joe")) == setting.shelf.records["joe"]
    assert result_of(setting.accounts.verifier("jim")) is None
    assert result_of(setting.accounts.verifier("joe/1")) is None


def test_no_secret_is_logged_or_raised(setting: Setting, logged: Logged) -> None:
    error = setting.attempt("joe", "hunter2")

    assert "hunter2" not in repr(error)
    assert "hunter2" not in logged.raw
