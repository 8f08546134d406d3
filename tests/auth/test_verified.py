from __future__ import annotations

from broker.auth.verified import VerifiedCredentials


def test_what_was_added_is_known() -> None:
    verified = VerifiedCredentials()
    verified.add("joe", "verifier", "secret")

    assert verified.contains("joe", "verifier", "secret")


def test_another_password_or_user_is_not_known() -> None:
    verified = VerifiedCredentials()
    verified.add("joe", "verifier", "secret")

    assert not verified.contains("joe", "verifier", "wrong")
    assert not verified.contains("jim", "verifier", "secret")
    assert verified.contains("joe", "verifier", "secret"), "a wrong password does not make the right one forgotten"


def test_a_changed_verifier_makes_the_user_forgotten() -> None:
    verified = VerifiedCredentials()
    verified.add("joe", "old", "secret")

    assert not verified.contains("joe", "new", "secret")
    assert len(verified) == 0


def test_the_user_not_seen_for_longest_makes_room() -> None:
    verified = VerifiedCredentials(size=2)
    verified.add("joe", "v", "secret")
    verified.add("jim", "v", "secret")
    verified.contains("joe", "v", "secret")
    verified.add("jack", "v", "secret")

    assert [verified.contains(name, "v", "secret") for name in ("joe", "jim", "jack")] == [True, False, True]


def test_no_password_is_kept() -> None:
    verified = VerifiedCredentials()
    verified.add("joe", "verifier", "secret")

    assert "secret" not in repr(vars(verified))
