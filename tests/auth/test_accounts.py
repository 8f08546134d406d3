from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from broker.auth.accounts import KEY_SIZE, StoredAccounts, decoy_key
from broker.auth.scram import MINIMUM_ITERATIONS, SALT_SIZE, Mechanism, Verifier
from broker.errors import BrokerError, Code
from broker.model.records import AccountRecord
from broker.ports import IAuthenticator
from broker.store.memory import MemoryStore
from tests.auth.support import AccountShelf, HeldExecutor, InlineExecutor, Logged, account, error_of, login, result_of

HOST = "192.0.2.1"
KEY = b"of the broker"


class Setting:
    """Stored accounts with one user, ``joe`` with the password ``secret``."""

    def __init__(self) -> None:
        self.shelf = AccountShelf(account("joe", "secret"))
        self.run = InlineExecutor()
        self.accounts = StoredAccounts(self.shelf.store, self.run, KEY, iterations=MINIMUM_ITERATIONS)

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
    accounts = StoredAccounts(AccountShelf(account("joe", "secret")).store, run, KEY)

    deferred = Deferred.fromCoroutine(accounts.authenticate(login("joe", "secret"), HOST))
    assert not deferred.called
    run.release()
    assert result_of(deferred) is None


def test_a_store_that_fails_is_not_a_wrong_password() -> None:
    class Broken(AccountShelf):
        def get_account(self, name: str) -> Deferred[AccountRecord | None]:
            return fail(BrokerError(Code.RESOURCE_DB_UNAVAILABLE, "no database"))

    accounts = StoredAccounts(Broken().store, InlineExecutor(), KEY)
    error = error_of(accounts.authenticate(login("joe", "secret"), HOST))

    assert isinstance(error, BrokerError)
    assert error.code == Code.RESOURCE_DB_UNAVAILABLE


def test_a_damaged_verifier_is_an_error_of_the_store_that_does_not_quote_it(setting: Setting) -> None:
    setting.shelf.keep(AccountRecord("joe", "damaged", "damaged", 0))

    error = setting.attempt("joe", "secret")
    assert isinstance(error, BrokerError)
    assert error.code == Code.RESOURCE_DB_UNKNOWN
    assert "damaged" not in str(error)


@pytest.mark.parametrize("mechanism", list(Mechanism))
def test_verifiers_are_looked_up_by_exact_name(setting: Setting, mechanism: Mechanism) -> None:
    def salt(name: str) -> bytes:
        return result_of(setting.accounts.verifier(mechanism, name)).salt

    record = setting.shelf.records["joe"]
    stored = record.scram_sha_1 if mechanism is Mechanism.SHA_1 else record.scram_sha_256
    assert salt("joe") == Verifier.parse(mechanism, stored).salt
    assert salt("joe/1") != salt("joe")


@pytest.mark.parametrize("name", ["joe", "jim"])
def test_a_verifier_does_not_tell_whether_there_is_an_account(setting: Setting, name: str) -> None:
    """Salts differ between mechanisms, stay the same over restarts, and all have as many iterations."""
    again = StoredAccounts(setting.shelf.store, setting.run, KEY, iterations=MINIMUM_ITERATIONS)
    seen = {mechanism: result_of(setting.accounts.verifier(mechanism, name)) for mechanism in Mechanism}

    assert len({each.salt for each in seen.values()}) == len(Mechanism)
    assert {len(each.salt) for each in seen.values()} == {SALT_SIZE}
    assert {each.iterations for each in seen.values()} == {MINIMUM_ITERATIONS}
    for mechanism, verifier in seen.items():
        assert result_of(again.verifier(mechanism, name)) == verifier


def test_the_key_of_decoys_is_made_once_and_stays_in_the_store() -> None:
    clock = Clock()

    def key_in(store: MemoryStore) -> bytes:
        found = Deferred.fromCoroutine(decoy_key(store))
        clock.pump([0.1] * 5)
        return result_of(found)

    store = MemoryStore(clock)
    key = key_in(store)
    assert len(key) == KEY_SIZE
    store.crash()
    again = MemoryStore(clock)
    again.tables = store.tables
    assert key_in(again) == key
    assert key_in(MemoryStore(clock)) != key


def test_accounts_exist_by_exact_name(setting: Setting) -> None:
    assert [result_of(setting.accounts.exists(name)) for name in ("joe", "Joe", "joe/1", "jim", "")] == [
        True, False, False, False, False,
    ]  # fmt: skip


def test_no_secret_is_logged_or_raised(setting: Setting, logged: Logged) -> None:
    error = setting.attempt("joe", "hunter2")

    assert "hunter2" not in repr(error)
    assert "hunter2" not in logged.raw
