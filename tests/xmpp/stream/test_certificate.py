"""Who a client's certificate says that it is (XEP-0178)."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from OpenSSL import SSL

from broker.net.certificate import self_signed
from broker.xmpp.stream.certificate import XMPP_ADDRESS, hosts, identities
from tests.net.handshakes import client_certificate, pair

NOW = datetime.now(UTC).timestamp()
LONG = "j" * 120 + "@localhost"


def xmpp_address(text: str) -> x509.OtherName:
    return x509.OtherName(XMPP_ADDRESS, b"\x0c" + bytes([len(text)]) + text.encode())


@pytest.mark.parametrize(
    ("names", "common", "expected"),
    [
        ([xmpp_address("joe@localhost"), x509.RFC822Name("mail@example.org")], "x", ["joe@localhost"]),
        ([x509.RFC822Name("joe@localhost")], "x", ["joe@localhost"]),
        ([x509.DNSName("localhost")], "joe@localhost", ["joe@localhost"]),
        ([], "joe@localhost", ["joe@localhost"]),
        ([], "somebody", []),
        ([x509.OtherName(XMPP_ADDRESS, b"\x0c\x81\x82" + LONG.encode())], "x", [LONG]),
        ([x509.OtherName(XMPP_ADDRESS, b"\x0c\x02\xff\xff")], "x", []),
        ([x509.OtherName(XMPP_ADDRESS, b"\x16\x03joe")], "x", []),
    ],
)
def test_a_certificate_proves_who_the_client_is(
    tmp_path: Path, names: list[x509.GeneralName], common: str, expected: list[str]
) -> None:
    # XEP-0178 §2
    pem = client_certificate(tmp_path / "client.pem", names, common)
    server, _ = pair(self_signed(tmp_path, "localhost", NOW), SSL.TLS1_2_VERSION, pem, pem)
    assert list(identities(server.get_peer_certificate(as_cryptography=True))) == expected


@pytest.mark.parametrize(
    ("names", "common", "expected"),
    [
        ([x509.DNSName("CM1"), x509.DNSName("cm2")], "cm3", ["cm1", "cm2"]),
        ([x509.RFC822Name("joe@localhost")], "cm3", ["cm3"]),
        ([], "cm3", ["cm3"]),
    ],
)
def test_a_certificate_proves_which_program_it_is(
    tmp_path: Path, names: list[x509.GeneralName], common: str, expected: list[str]
) -> None:
    pem = client_certificate(tmp_path / "client.pem", names, common)
    assert list(hosts(x509.load_pem_x509_certificate(pem.read_bytes()))) == expected


def test_without_a_certificate_nothing_is_proven(tmp_path: Path) -> None:
    ca = client_certificate(tmp_path / "client.pem", [])
    server, _ = pair(self_signed(tmp_path, "localhost", NOW), SSL.TLS1_2_VERSION, None, ca)
    assert server.get_peer_certificate(as_cryptography=True) is None
    assert list(identities(None)) == list(hosts(None)) == []
