"""Certificates of ``broker check``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from broker.cli.check.certificates import check_certificates
from broker.cli.check.findings import Finding
from tests.cli.check.subjects import subject, told

DOMAIN = "chat.example.org"
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


class Files:
    """A certificate and its key, as files."""

    def __init__(self, directory: Path, *names: str, expires: datetime = NOW + timedelta(days=90)) -> None:
        self.authority = trustme.CA()
        issued = self.authority.issue_cert(*(names or (DOMAIN,)), not_before=NOW - timedelta(days=1), not_after=expires)
        self.certificate, self.key = directory / "cert.pem", directory / "key.pem"
        self.chain = [each.bytes() for each in issued.cert_chain_pems] + [self.authority.cert_pem.bytes()]
        self.write(self.chain)
        self.key.touch(0o600)
        self.key.write_bytes(issued.private_key_pem.bytes())

    def write(self, chain: list[bytes]) -> None:
        """Write the chain."""
        self.certificate.write_bytes(b"".join(chain))

    def check(self, now: datetime = NOW) -> list[Finding]:
        """Check a broker that shows them."""
        settings = {"xmpp.domain": DOMAIN, "xmpp.certificate": str(self.certificate), "xmpp.privateKey": str(self.key)}
        return list(check_certificates(subject(Path("/nowhere"), settings), now.timestamp()))


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def severities(findings: list[Finding]) -> list[str]:
    return [each.severity.value for each in findings if each.severity != "ok"]


def test_certificate_with_its_chain_and_key_is_good(files: Files) -> None:
    (found,) = files.check()
    assert (found.severity, "until 2026-08-30 (90 days)" in found.detail) == ("ok", True)


@pytest.mark.parametrize(("days", "severity"), [(60, []), (75, ["warning"]), (91, ["problem"]), (-2, ["problem"])])
def test_certificate_is_told_by_how_long_it_lasts(files: Files, days: int, severity: list[str]) -> None:
    assert severities(files.check(NOW + timedelta(days=days))) == severity


def test_key_of_another_certificate_is_a_problem(files: Files) -> None:
    files.key.write_bytes(trustme.CA().issue_cert(DOMAIN).private_key_pem.bytes())
    (found,) = files.check()
    assert (found.severity, "do not go together" in found.detail) == ("problem", True)


def test_certificate_of_another_name_is_a_problem(tmp_path: Path) -> None:
    found = Files(tmp_path, "other.example.org", "192.0.2.1").check()
    assert severities(found) == ["problem"]
    assert "is for other.example.org, 192.0.2.1, not for chat.example.org" in found[1].detail


def test_star_is_the_first_label_of_a_name(tmp_path: Path) -> None:
    assert severities(Files(tmp_path, "*.example.org").check()) == []
    assert severities(Files(tmp_path, "*.org").check()) == ["problem"]


def test_chain_without_the_issuer_is_a_warning(files: Files) -> None:
    files.write(files.chain[:1])
    assert severities(files.check()) == ["warning"]


def test_chain_in_which_somebody_else_follows_is_a_problem(files: Files) -> None:
    files.write([files.chain[0], trustme.CA().cert_pem.bytes()])
    assert severities(files.check()) == ["problem"]


def test_key_that_others_may_read_is_a_warning(files: Files) -> None:
    files.key.chmod(0o644)
    (_, found) = files.check()
    assert (found.severity, found.what_to_do) == ("warning", f"chmod 600 {files.key}")


def test_file_that_is_missing_is_a_problem_that_names_the_property() -> None:
    (found,) = check_certificates(subject(Path("/nowhere"), {"xmpp.certificate": "/no.pem"}))
    assert (found.severity, "xmpp.certificate: " in found.detail) == ("problem", True)


def test_certificate_of_a_plugin_is_looked_at_where_it_speaks_tls(files: Files) -> None:
    settings = {"plugin/socket/certificate": str(files.certificate), "plugin/socket/privateKey": str(files.key)}
    for tls, count in (("true", 2), ("false", 1)):
        found = list(check_certificates(subject(Path("/"), {**settings, "plugin/socket/SSL": tls}), NOW.timestamp()))
        assert len(found) == count


@pytest.mark.parametrize(("host", "severity"), [("127.0.0.1", "ok"), ("0.0.0.0", "warning")])
def test_selfsigned_certificate_is_good_for_this_machine(host: str, severity: str) -> None:
    (found,) = check_certificates(subject(Path("/nowhere"), {"plugin/xmpp/hostname": host}))
    assert told([found])[0][0] == severity
