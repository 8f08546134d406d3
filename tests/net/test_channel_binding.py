"""What SASL can be bound to (RFC 5929, RFC 9266)."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from OpenSSL import SSL

from broker.net.certificate import self_signed
from broker.net.channel_binding import channel_bindings, end_point
from tests.net.handshakes import pair

NOW = datetime.now(UTC).timestamp()


def test_both_ends_export_the_same_key(tmp_path: Path) -> None:
    # RFC 9266 §4.2
    server, client = pair(self_signed(tmp_path, "localhost", NOW), SSL.TLS1_3_VERSION)
    bindings = channel_bindings(server)
    assert list(bindings) == ["tls-exporter", "tls-server-end-point"]
    assert bindings["tls-exporter"] == client.export_keying_material(b"EXPORTER-Channel-Binding", 32, b"")
    shown = client.get_peer_certificate(as_cryptography=True)
    assert shown is not None
    der = shown.public_bytes(serialization.Encoding.DER)
    assert (
        bindings["tls-server-end-point"]
        == hashlib.sha256(der).digest()
        == end_point(x509.load_der_x509_certificate(der))
    )


def test_tls_1_2_binds_to_the_certificate_only(tmp_path: Path) -> None:
    server, _ = pair(self_signed(tmp_path, "localhost", NOW), SSL.TLS1_2_VERSION)
    assert list(channel_bindings(server)) == ["tls-server-end-point"]
