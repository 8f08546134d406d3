"""What an administrator is told of somebody's TLS."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from OpenSSL import SSL

from broker.net.certificate import self_signed
from broker.net.tls_details import MAX_TEXT, TlsDetails, clean
from tests.net.handshakes import pair

NOW = datetime.now(UTC).timestamp()
CIPHER = b"ECDHE-ECDSA-AES128-GCM-SHA256"


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return self_signed(tmp_path, "localhost", NOW)


@pytest.mark.parametrize("version", [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION])
def test_version_cipher_and_the_name_that_was_asked_for(certificate: Path, version: int) -> None:
    server, client = pair(certificate, version, ciphers=CIPHER, sni=b"chat.example.org")
    details = TlsDetails.of(server)
    assert details == TlsDetails(client.get_protocol_version_name(), client.get_cipher_name() or "", "chat.example.org")
    assert (details.version, version) in {("TLSv1.2", SSL.TLS1_2_VERSION), ("TLSv1.3", SSL.TLS1_3_VERSION)}


def test_a_client_that_asks_for_no_name_has_none(certificate: Path) -> None:
    server, _ = pair(certificate)
    assert "sni" not in TlsDetails.of(server).fields()


@pytest.mark.parametrize("sni", [b"caf\xe9", b"a\x01b", b"a\nb"])
def test_a_name_that_can_be_none_is_left_out(certificate: Path, sni: bytes) -> None:
    server, _ = pair(certificate, sni=sni)
    assert TlsDetails.of(server).sni == ""


def test_fields_of_the_audit_are_those_that_are_known() -> None:
    assert TlsDetails("TLSv1.3", "", "host").fields() == {"tls": "TLSv1.3", "sni": "host"}


@pytest.mark.parametrize(
    ("text", "kept"), [("TLSv1.3", True), ("x" * MAX_TEXT, True), ("x" * (MAX_TEXT + 1), False), ("\u2028", False)]
)
def test_texts_of_others_are_short_and_printable(text: str, kept: bool) -> None:
    assert clean(text) == (text if kept else "")
