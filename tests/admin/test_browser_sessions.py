"""Logins of browsers: how long they last, and how many there are."""

from __future__ import annotations

from twisted.internet.task import Clock

from broker.admin.browser_sessions import ABSOLUTE, IDLE, MAX_OF_USER, MAX_SESSIONS, BrowserSessions


def test_login_is_found_by_its_cookie_only() -> None:
    sessions = BrowserSessions(Clock().seconds)
    cookie, session = sessions.open("boss")
    assert sessions.find(cookie, automatic=False) is session
    assert sessions.find(cookie[:-1], automatic=False) is None


def test_login_lasts_while_it_is_used_and_no_longer_than_its_time() -> None:
    clock = Clock()
    sessions = BrowserSessions(clock.seconds)
    cookie, _ = sessions.open("boss")
    rounds = 0
    while sessions.find(cookie, automatic=False) is not None:
        clock.advance(IDLE - 1)
        rounds += 1
    assert rounds == ABSOLUTE // (IDLE - 1) + 1


def test_login_that_nobody_uses_ends() -> None:
    clock = Clock()
    sessions = BrowserSessions(clock.seconds)
    cookie, session = sessions.open("boss")
    ended: list[bool] = []
    session.on_end.append(lambda: ended.append(True))
    clock.advance(IDLE - 1)
    assert sessions.find(cookie, automatic=True) is session
    clock.advance(1)
    assert (sessions.find(cookie, automatic=True), ended, len(sessions)) == (None, [True], 0)


def test_least_used_login_of_a_user_makes_room() -> None:
    clock = Clock()
    sessions = BrowserSessions(clock.seconds)
    cookies = [sessions.open("boss")[0] for _ in range(MAX_OF_USER)]
    sessions.find(cookies[0], automatic=False)
    sessions.open("boss")
    alive = [sessions.find(each, automatic=True) is not None for each in cookies]
    assert alive == [True, False, *[True] * (MAX_OF_USER - 2)]


def test_number_of_logins_is_bounded() -> None:
    sessions = BrowserSessions(Clock().seconds)
    first, _ = sessions.open("user0")
    for number in range(1, MAX_SESSIONS + 1):
        sessions.open(f"user{number}")
    assert len(sessions) == MAX_SESSIONS
    assert sessions.find(first, automatic=False) is None
