"""What TLS proves to SASL (RFC 5929, RFC 9266, XEP-0178), and the certificate of those who have none."""

from __future__ import annotations

import contextlib
import hashlib
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from OpenSSL import SSL

from broker.errors import BrokerError
from broker.net.certificate import self_signed
from broker.net.tls import server_context
from broker.net.tls_identity import XMPP_ADDRESS, channel_bindings, end_point, identities

NOW = datetime.now(UTC).timestamp()


def handshake(server: Any, client: Any) -> None:
    """Let two ends in memory shake hands."""
    for _ in range(10):
        for end, other in ((client, server), (server, client)):
            with contextlib.suppress(SSL.WantReadError):
                end.do_handshake()
            with contextlib.suppress(SSL.WantReadError):
                other.bio_write(end.bio_read(1 << 16))


def pair(certificate: Path, version: int, client_pem: Path | None = None, ca: Path | None = None) -> tuple[Any, Any]:
    """A server and a client that have shaken hands."""
    context = server_context(certificate, None, ca, require_client=False).getContext()
    server = SSL.Connection(context, None)
    server.set_accept_state()
    client_context = SSL.Context(SSL.TLS_METHOD)
    client_context.set_min_proto_version(version)
    client_context.set_max_proto_version(version)
    if client_pem is not None:
        client_context.use_certificate_file(str(client_pem))
        client_context.use_privatekey_file(str(client_pem))
    client = SSL.Connection(client_context, None)
    client.set_connect_state()
    handshake(server, client)
    return server, client


def test_both_ends_export_the_same_key(tmp_path: Path) -> None:
    # RFC 9266 §4.2
    server, client = pair(self_signed(tmp_path, "localhost", NOW), SSL.TLS1_3_VERSION)
    bindings = channel_bindings(server)
    assert list(bindings) == ["tls-exporter", "tls-server-end-point"]
    assert bindings["tls-exporter"] == client.export_keying_material(b"EXPORTER-Channel-Binding", 32, b"")
    der = client.get_peer_certificate().to_cryptography().public_bytes(serialization.Encoding.DER)
    assert (
        bindings["tls-server-end-point"]
        == hashlib.sha256(der).digest()
        == end_point(x509.load_der_x509_certificate(der))
    )


def test_tls_1_2_binds_to_the_certificate_only(tmp_path: Path) -> None:
    server, _ = pair(self_signed(tmp_path, "localhost", NOW), SSL.TLS1_2_VERSION)
    assert list(channel_bindings(server)) == ["tls-server-end-point"]


def client_certificate(path: Path, names: list[x509.GeneralName], common: str = "somebody") -> Path:
    """A certificate of a client, which is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    pem = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    pem += key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(pem)
    return path


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
        ([x509.OtherName(XMPP_ADDRESS, b"\x16\x03joe")], "x", []),
    ],
)
def test_a_certificate_proves_who_the_client_is(
    tmp_path: Path, names: list[x509.GeneralName], common: str, expected: list[str]
) -> None:
    # XEP-0178 §2
    pem = client_certificate(tmp_path / "client.pem", names, common)
    server, _ = pair(self_signed(tmp_path, "localhost", NOW), SSL.TLS1_2_VERSION, pem, pem)
    assert list(identities(server)) == expected


def test_without_a_certificate_nothing_is_proven(tmp_path: Path) -> None:
    ca = client_certificate(tmp_path / "client.pem", [])
    server, _ = pair(self_signed(tmp_path, "localhost", NOW), SSL.TLS1_2_VERSION, None, ca)
    assert list(identities(server)) == []


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
