"""The audit of logins: a line for each that is let in, and a count of the others."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from broker.logs.audit import MAX_VALUE, LoginAudit
from tests.logs.audit_lines import audit_lines


class Audit:
    """The audit of logins, and its lines."""

    def __init__(self) -> None:
        self.clock = Clock()
        self._logins = LoginAudit(self.clock.seconds)

    def refuse(self, *peers: str, user: str = "joe") -> list[str]:
        """Lines about logins that are refused, one after the other."""
        with capturedLogs() as events:
            for peer in peers:
                self._logins.refused(user, "native", peer, "wrong", code="denied")
        return audit_lines(events)

    def admit(self, *peers: str) -> list[str]:
        """Lines about logins that are let in."""
        with capturedLogs() as events:
            for peer in peers:
                self._logins.admitted("joe", "native", peer, session="client/joe/1")
        return audit_lines(events)


@pytest.fixture
def audit() -> Audit:
    return Audit()


def test_each_login_that_is_let_in_has_a_line(audit: Audit) -> None:
    line = "login principal=joe via=native peer=192.0.2.1 session=client/joe/1"
    assert audit.admit(*["192.0.2.1"] * 3) == [line] * 3


def test_refused_logins_of_one_address_have_one_line_a_minute_with_their_number(audit: Audit) -> None:
    line = "login principal=joe via=native peer=192.0.2.1 code=denied outcome=refused reason=wrong"
    assert audit.refuse(*["192.0.2.1"] * 100) == [line]
    audit.clock.advance(61)
    assert audit.refuse("192.0.2.1") == [f"{line} (and 99 more since the last line)"]


def test_another_address_has_a_line_of_its_own(audit: Audit) -> None:
    assert len(audit.refuse("192.0.2.1", "192.0.2.2", "192.0.2.1")) == 2


def test_addresses_of_one_ipv6_network_count_together(audit: Audit) -> None:
    assert len(audit.refuse("2001:db8::1", "2001:db8::2", "2001:db8:0:1::1")) == 2


def test_name_that_a_stranger_has_sent_is_quoted_and_cut(audit: Audit) -> None:
    (line,) = audit.refuse("192.0.2.1", user="a\n[broker.audit#info] login" + "x" * 1000)
    assert line.startswith("login principal='a\\n[broker.audit#info] loginxxx")
    assert len(line) < MAX_VALUE + 150
