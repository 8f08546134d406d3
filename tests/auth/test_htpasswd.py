from __future__ import annotations

import os
from pathlib import Path

import pytest
from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from broker.auth.hashes import PasswordHash
from broker.auth.htpasswd import HtpasswdFile
from broker.errors import BrokerError, Code
from broker.ports import IAuthenticator, IAuthorizer
from tests.auth.support import HeldExecutor, InlineExecutor, Logged, login, result_of

HOST = "192.0.2.1"
SECRET = "yZ24stvIel1j6"
"""DES crypt of ``secret``."""
PASSWORD = "yZEPH6exqDoqk"
"""DES crypt of ``password``."""


class Setting:
    """An htpasswd file on disk, and the service that reads it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.run = InlineExecutor()
        self.changes = 0

    def write(self, text: str) -> None:
        self.path.write_text(text)
        # Writes within one tick of the file system's clock could not be told apart.
        self.changes += 1
        os.utime(self.path, ns=(self.changes, self.changes))

    def open(self, text: str, *, partial: bool = False) -> None:
        self.write(text)
        self.file = HtpasswdFile(self.path, self.run, allow_partial_usernames=partial)

    def admits(self, user: str, password: str) -> bool:
        try:
            result_of(self.file.authenticate(login(user, password), HOST))
        except BrokerError as error:
            assert error.args == (Code.USER_ACCESS_DENIED, "The user name or the password is wrong", "")
            return False
        return True

    @property
    def hashed(self) -> int:
        """How many hashes were computed."""
        return sum(isinstance(getattr(work, "__self__", None), PasswordHash) for work in self.run.works)


@pytest.fixture
def setting(tmp_path: Path) -> Setting:
    return Setting(tmp_path / "xmlBlaster.htpasswd")


def test_it_provides_both_ports(setting: Setting) -> None:
    setting.open("")

    assert verifyObject(IAuthenticator, setting.file)
    assert verifyObject(IAuthorizer, setting.file)


def test_only_the_right_password_is_accepted(setting: Setting) -> None:
    setting.open(f"joe:{SECRET}")

    assert setting.admits("joe", "secret")
    assert setting.admits("joe/7", "secret")
    assert not setting.admits("joe", "wrong")
    assert not setting.admits("joe", "")
    assert not setting.admits("joe", "secret" + "x" * 5000)
    assert not setting.admits("jim", "secret")
    assert not setting.admits("", "secret")
    assert not setting.admits("joe/a/b/c", "secret")


def test_an_empty_hash_accepts_every_password(setting: Setting) -> None:
    setting.open("anon::")

    assert setting.admits("anon", "whatever")
    assert not setting.admits("", "whatever")


def test_a_hash_of_no_known_format_accepts_none(setting: Setting) -> None:
    setting.open("joe:secret")

    assert not setting.admits("joe", "secret")
    assert not setting.admits("joe", "")


def test_a_lone_star_accepts_everybody(setting: Setting) -> None:
    setting.open(f"*\njoe:{SECRET}")

    assert setting.admits("joe", "wrong")
    assert setting.admits("nobody", "")
    assert setting.file.permits("nobody", "erase", "exact:Hello")


def test_the_star_user_is_for_those_whom_the_file_does_not_name(setting: Setting) -> None:
    setting.open(f"joe:{SECRET}\n*:{PASSWORD}:get")

    assert setting.admits("nobody", "password")
    assert not setting.admits("nobody", "secret")
    assert not setting.admits("joe", "password")
    assert setting.file.permits("nobody", "get", "exact:Hello")
    assert not setting.file.permits("nobody", "publish", "exact:Hello")


def test_parts_of_names_count_where_that_is_configured(setting: Setting) -> None:
    setting.open(f"@acme.com:{SECRET}:get", partial=True)

    assert setting.admits("joe@acme.com", "secret")
    assert not setting.admits("joe@other.com", "secret")
    assert setting.file.permits("joe@acme.com", "get", "")
    assert not setting.file.permits("joe@acme.com", "publish", "")


def test_who_is_not_in_the_file_may_do_nothing(setting: Setting) -> None:
    setting.open(f"joe:{SECRET}")

    assert setting.file.permits("joe", "publish", "exact:Hello")
    assert not setting.file.permits("nobody", "publish", "exact:Hello")


@pytest.mark.parametrize("user", ["joe", "nobody", "locked", ""])
def test_a_refusal_costs_one_hash_whether_the_user_exists_or_not(setting: Setting, user: str) -> None:
    setting.open(f"joe:{SECRET}\nlocked:!")

    assert not setting.admits(user, "wrong")
    assert setting.hashed == 1


def test_the_hash_that_stands_in_for_an_unknown_user_lets_nobody_in(setting: Setting) -> None:
    setting.open(f"joe:{SECRET}")

    assert not setting.admits("nobody", "secret")
    assert not setting.admits("nobody", "secret")


def test_reconnects_do_not_hash_again(setting: Setting) -> None:
    setting.open(f"joe:{SECRET}")

    assert all(setting.admits("joe", "secret") for _ in range(5))
    assert setting.hashed == 1


def test_a_changed_file_counts_from_the_next_login_on(setting: Setting) -> None:
    setting.open(f"joe:{SECRET}\njim:{SECRET}")
    assert setting.admits("joe", "secret")
    setting.write(f"joe:{PASSWORD}")

    assert not setting.admits("joe", "secret")
    assert setting.admits("joe", "password")
    assert not setting.admits("jim", "secret")
    assert not setting.file.permits("jim", "get", "exact:Hello")


def test_a_file_that_another_one_was_moved_onto_counts(setting: Setting) -> None:
    setting.open(f"joe:{SECRET}")
    before = setting.path.stat()
    other = setting.path.with_name("new")
    other.write_text(f"joe:{PASSWORD}")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(setting.path)

    assert setting.admits("joe", "password")


def test_an_unchanged_file_is_not_read_again(setting: Setting) -> None:
    setting.open("anon::")
    setting.admits("anon", "x")
    setting.admits("anon", "x")

    assert setting.run.works == []


def test_a_reload_reads_a_file_that_looks_unchanged(setting: Setting) -> None:
    setting.open("joe::get,erase")
    told: list[str] = []
    setting.file.on_change = lambda is_altered: told.append("changed")
    stamp = setting.path.stat()
    setting.path.write_text("joe::ping,ping")
    os.utime(setting.path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))

    assert result_of(Deferred.fromCoroutine(setting.file.reload()))
    assert not setting.file.permits("joe", "get", "exact:Hello")
    assert told == ["changed"]


def test_a_reload_says_that_the_file_cannot_be_read(setting: Setting, logged: Logged) -> None:
    setting.open("joe::get")
    setting.path.unlink()

    assert not result_of(Deferred.fromCoroutine(setting.file.reload()))
    assert setting.file.permits("joe", "get", "exact:Hello")
    assert len(logged.of_level("error")) == 1


def test_a_line_that_cannot_be_understood_is_logged_and_does_not_stop_the_others(
    setting: Setting, logged: Logged
) -> None:
    setting.open(f"joe:{SECRET}")
    setting.write(f"joe:{PASSWORD}\nhunter2\nodd:{SECRET}:fly\n*:{SECRET}\n")

    assert setting.admits("joe", "password")
    assert not setting.admits("odd", "secret"), "the fallback is for those whom the file does not name"
    assert logged.of_level("warn") == [
        f"{setting.path}, line 2: is not of the form user:hash:methods, it is left out",
        f"{setting.path}, line 3: 'odd' cannot log in, 'fly' is not a method",
    ]
    assert "hunter2" not in logged.raw


def test_whoever_could_log_in_has_an_account(setting: Setting) -> None:
    setting.open(f"joe:{SECRET}")
    assert [result_of(setting.file.exists(name)) for name in ("joe", "jim", "", "joe/1")] == [True, False, False, False]

    setting.write(f"jim:{SECRET}\n*:{SECRET}")
    assert [result_of(setting.file.exists(name)) for name in ("jim", "whoever", "x/y")] == [True, True, False]


def test_a_changed_file_tells_who_must_log_in_anew(setting: Setting) -> None:
    names = ("joe", "jim", "amy", "new", "other")
    setting.open(f"joe:{SECRET}\njim:{SECRET}\namy:{SECRET}")
    altered: list[str] = []
    setting.file.on_change = lambda is_altered: altered.extend(filter(is_altered, names))
    setting.write(f"joe:{PASSWORD}\namy:{SECRET}:get\nnew:{SECRET}")

    assert result_of(Deferred.fromCoroutine(setting.file.refresh()))
    assert altered == ["joe", "jim"]


def test_a_lost_file_keeps_the_last_good_users_and_is_logged_once(setting: Setting, logged: Logged) -> None:
    setting.open(f"joe:{SECRET}")
    setting.path.unlink()

    assert setting.admits("joe", "secret")
    assert setting.admits("joe", "secret")
    assert len(logged.of_level("error")) == 1


def test_logins_that_find_a_change_together_read_the_file_once(setting: Setting) -> None:
    setting.write("anon::")
    run = HeldExecutor()
    file = HtpasswdFile(setting.path, run)
    setting.write("anon::\nother::")

    logins = [Deferred.fromCoroutine(file.authenticate(login("other", ""), HOST)) for _ in range(3)]
    assert len(run.held) == 1
    run.release()
    assert [result_of(each) for each in logins] == [None] * 3
    assert run.held == []


def test_a_thousand_logins_wait_for_one_reading_of_the_file(setting: Setting) -> None:
    setting.write("anon::")
    run = HeldExecutor()
    file = HtpasswdFile(setting.path, run)
    setting.write("anon::\nother::")

    logins = [Deferred.fromCoroutine(file.authenticate(login("other", ""), HOST)) for _ in range(1000)]
    run.release()
    assert [result_of(each) for each in logins] == [None] * 1000


def test_a_file_that_cannot_be_read_from_the_start_is_an_error(setting: Setting) -> None:
    with pytest.raises(BrokerError) as refused:
        HtpasswdFile(setting.path, setting.run)
    assert refused.value.code == Code.RESOURCE_FILE_IO
    assert refused.value.message == f"{setting.path} cannot be read: No such file or directory"


def test_what_an_administrator_should_look_at_is_logged(setting: Setting, logged: Logged) -> None:
    setting.open("joe:hunter2\nanon::")

    assert logged.of_level("warn") == [
        f"{setting.path}, line 1: 'joe' cannot log in, the hash is of no known format",
        f"{setting.path}, line 2: 'anon' has no password, every password is accepted",
    ]
    assert "hunter2" not in logged.raw
