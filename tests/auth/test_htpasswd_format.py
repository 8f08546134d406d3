from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.auth.htpasswd_format import Htpasswd, parse_htpasswd

HASH = "yZ24stvIel1j6"

SAMPLE = """\
# comment
guest:yZ24stvIel1j6:connect,disconnect,publish(tennis;sailing),subscribe(jogging),unSubscribe(jogging)
snoopy:yZ24stvIel1j6:subscribe("exact:tennis";"domain:sport";"xpath:/xmlBlaster/key[starts-with(@oid,'sport.')]")
weather:yZ24stvIel1j6:connect,disconnect,publish("startsWith:weather.";"endsWith:.now")
admin:yZ24stvIel1j6:!erase
other:yZ24stvIel1j6:! subscribe,unSubscribe
all:yZ24stvIel1j6::
anon::
*:sd7aksf1f
*
__sys__jdbc:yZ24stvIel1j6
"""


def parse(text: str) -> Htpasswd:
    return parse_htpasswd(text.encode())


def warnings(text: str) -> list[str]:
    return list(parse(text).warnings)


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_all_line_forms_of_the_specification_are_read(ends: str) -> None:
    users = parse(SAMPLE.replace("\n", ends))

    assert set(users.entries) == {"guest", "snoopy", "weather", "admin", "other", "all", "anon", "__sys__jdbc"}
    assert users.unchecked
    assert users.fallback is not None
    for name, entry in users.entries.items():
        assert entry.any_password is (name == "anon")
        if name != "anon":
            assert entry.hash is not None
            assert entry.hash.matches("secret")


@pytest.mark.parametrize(
    ("user", "method", "target", "expected"),
    [
        ("guest", "publish", "exact:sailing", True),
        ("guest", "publish", "exact:jogging", False),
        ("guest", "erase", "exact:tennis", False),
        ("snoopy", "subscribe", "xpath:/xmlBlaster/key[starts-with(@oid,'sport.')]", True),
        ("snoopy", "subscribe", "domain:sport", True),
        ("weather", "publish", "exact:rain.now", True),
        ("admin", "erase", "exact:tennis", False),
        ("admin", "publish", "exact:tennis", True),
        ("other", "unSubscribe", "exact:tennis", False),
        ("other", "get", "exact:tennis", True),
        ("all", "erase", "exact:tennis", True),
        ("anon", "erase", "exact:tennis", True),
        ("__sys__jdbc", "erase", "exact:tennis", True),
    ],
)
def test_the_third_field_says_what_a_user_may_do(user: str, method: str, target: str, expected: bool) -> None:
    assert parse(SAMPLE).entries[user].rules.permits(method, target) is expected


def test_an_administrator_is_warned_of_lines_that_let_in_too_many_or_nobody() -> None:
    assert parse(SAMPLE).warnings == (
        "line 8: 'anon' has no password, every password is accepted",
        "line 9: '*' cannot log in, the hash is of no known format",
        "line 10: passwords are not checked at all",
    )


def test_a_hash_that_cannot_be_checked_locks_out_its_user_only() -> None:
    users = parse(f"joe:plain\njim:{HASH}")

    assert (users.entries["joe"].any_password, users.entries["joe"].hash) == (False, None)
    assert users.entries["jim"].hash is not None


def test_comments_blank_lines_and_blanks_around_fields_do_not_matter() -> None:
    users = parse(f"\ufeff\n   # joe:x\n\n  joe : {HASH} : connect \n")

    assert list(users.entries) == ["joe"]
    assert not users.entries["joe"].rules.permits("get", "")


def test_an_empty_file_has_no_users() -> None:
    assert parse("") == Htpasswd()


def test_the_exact_user_wins_over_parts_and_parts_win_over_the_fallback() -> None:
    users = parse(f"joe@acme.com:{HASH}\n@acme.com:{HASH}:get\nbig@acme.com:{HASH}:ping\n*:{HASH}:connect")

    def entry_of(user: str) -> str:
        entry = users.find(user, partial=True)
        return next((name for name, known in users.entries.items() if known is entry), "*")

    assert entry_of("joe@acme.com") == "joe@acme.com"
    assert entry_of("jim@acme.com") == "@acme.com"
    assert entry_of("mr.big@acme.com") == "big@acme.com", "the longest part is the closest"
    assert entry_of("@acme.com.evil.org") == "@acme.com"
    assert entry_of("jim@other.com") == "*"


def test_parts_of_names_do_not_count_unless_they_are_allowed() -> None:
    users = parse(f"@acme.com:{HASH}")

    assert users.find("jim@acme.com") is None


@pytest.mark.parametrize(
    ("line", "warning"),
    [
        ("joe", "line 2: is not of the form user:hash:methods, it is left out"),
        (f":{HASH}", "line 2: has no user name, it is left out"),
        (f"joe/1:{HASH}", "line 2: has a user name with '/', it is left out"),
        (f"j\0e:{HASH}", "line 2: has a user name with control characters, it is left out"),
        (f"jim:{HASH}:get", "line 2: 'jim' is there twice, the first one counts"),
        (f"*:{HASH}\n*:{HASH}", "line 3: '*' is there twice, the first one counts"),
    ],
)
def test_a_line_that_cannot_be_understood_is_left_out_with_a_warning(line: str, warning: str) -> None:
    text = f"jim:{HASH}\n{line}\nlast:{HASH}\n"
    assert warnings(text) == [warning]
    users = parse(text)
    assert set(users.entries) == {"jim", "last"}
    assert users.entries["jim"].rules.permits("publish", "")


def test_rules_that_cannot_be_understood_lock_their_user_out_though_there_is_a_fallback() -> None:
    text = f"joe:{HASH}:fly\n*:{HASH}"
    assert warnings(text) == ["line 1: 'joe' cannot log in, 'fly' is not a method"]
    entry = parse(text).find("joe")
    assert entry is not None
    assert (entry.hash, entry.any_password) == (None, False)


def test_a_line_that_is_not_utf_8_is_left_out_with_a_warning() -> None:
    users = parse_htpasswd(b"# comment\nj\xfcrgen:yZ24stvIel1j6\njoe:yZ24stvIel1j6\n")
    assert users.warnings == ("line 2: is not UTF-8, it is left out",)
    assert set(users.entries) == {"joe"}


@pytest.mark.parametrize("text", ["hunter2", "joe:hunter2:fly", "joe:hunter2\njoe:hunter2"])
def test_no_secret_is_in_a_warning_or_a_representation(text: str) -> None:
    assert warnings(text)
    assert not [each for each in warnings(text) if "hunter2" in each]
    assert HASH not in repr(parse(SAMPLE))
    assert "sd7aksf1f" not in repr(parse(SAMPLE))


@pytest.mark.parametrize(
    ("before", "after", "altered"),
    [
        (f"joe:{HASH}", f"joe:{HASH}", False),
        (f"joe:{HASH}", f"joe:{HASH}:get", False),
        (f"joe:{HASH}", "joe::", True),
        (f"joe:{HASH}", "", True),
        (f"joe:{HASH}", f"*:{HASH}", False),
        ("", f"joe:{HASH}", False),
        ("", "", False),
        ("*", "", True),
        ("*", f"joe:{HASH}", False),
        (f"joe:{HASH}", "*", False),
    ],
)
def test_a_user_is_altered_by_another_password_or_none(before: str, after: str, altered: bool) -> None:
    assert parse(after).alters(parse(before), "joe") is altered


def test_the_decoy_is_a_hash_of_the_file() -> None:
    users = parse(f"anon::\njoe:{HASH}")

    assert users.decoy is not None
    assert users.decoy.scheme == "des_crypt"
    assert parse("anon::").decoy is None


LINES = st.lists(
    st.lists(
        st.sampled_from(
            ["joe", "jim", "*", ":", HASH, "#", "!", "connect", "publish", "(", ")", ";", ",", '"', "\n", " "]
        )
    ).map("".join)
).map("\n".join)


@given(st.one_of(st.binary(), LINES.map(str.encode)))
def test_any_bytes_are_users_and_warnings_with_a_line_number(data: bytes) -> None:
    assert all(re.match(r"line \d+: ", warning) for warning in parse_htpasswd(data).warnings)
