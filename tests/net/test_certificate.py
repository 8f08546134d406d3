"""The certificate of those who have none."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509

from broker.errors import BrokerError
from broker.net.certificate import self_signed

NOW = datetime.now(UTC).timestamp()


class TestSelfSigned:
    def test_it_is_made_once_and_kept_from_others(self, tmp_path: Path) -> None:
        path = self_signed(tmp_path, "chat.example.org", NOW)
        pem = path.read_bytes()
        assert path.stat().st_mode & 0o777 == 0o600
        assert self_signed(tmp_path, "chat.example.org", NOW + 1000).read_bytes() == pem
        ssl.create_default_context(cafile=str(path))

    def test_another_domain_or_a_late_day_needs_another_one(self, tmp_path: Path) -> None:
        pem = self_signed(tmp_path, "chat.example.org", NOW).read_bytes()
        other = self_signed(tmp_path, "elsewhere.example", NOW).read_bytes()
        assert other != pem
        assert self_signed(tmp_path, "elsewhere.example", NOW + 824 * 86_400).read_bytes() != other

    def test_a_domain_may_be_in_any_script(self, tmp_path: Path) -> None:
        pem = self_signed(tmp_path, "bücher.example", NOW).read_bytes()
        assert self_signed(tmp_path, "bücher.example", NOW).read_bytes() == pem
        (certificate,) = x509.load_pem_x509_certificates(pem)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert "xn--bcher-kva.example" in names.get_values_for_type(x509.DNSName)

    @pytest.mark.parametrize("domain", ["", "a..b", "x" * 70])
    def test_what_is_no_domain_is_told(self, tmp_path: Path, domain: str) -> None:
        with pytest.raises(BrokerError, match=r"xmpp\.domain"):
            self_signed(tmp_path, domain, NOW)

    def test_rubbish_is_replaced(self, tmp_path: Path) -> None:
        (tmp_path / "selfsigned.pem").write_text("rubbish")
        assert b"BEGIN CERTIFICATE" in self_signed(tmp_path, "localhost", NOW).read_bytes()
