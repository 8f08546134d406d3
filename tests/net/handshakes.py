"""TLS handshakes in memory, and certificates for them."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from OpenSSL import SSL

from broker.net.tls import Alpn, server_context


def handshake(server: SSL.Connection, client: SSL.Connection) -> None:
    """Let two ends in memory shake hands."""
    for _ in range(10):
        for end, other in ((client, server), (server, client)):
            with contextlib.suppress(SSL.WantReadError):
                end.do_handshake()
            with contextlib.suppress(SSL.WantReadError):
                other.bio_write(end.bio_read(1 << 16))


def pair(
    certificate: Path,
    version: int = SSL.TLS1_3_VERSION,
    client_pem: Path | None = None,
    ca: Path | None = None,
    *,
    alpn: Alpn = Alpn(),  # noqa: B008 - it is frozen
    offered: Sequence[bytes] = (),
    ciphers: bytes = b"",
    sni: bytes = b"",
) -> tuple[SSL.Connection, SSL.Connection]:
    """A server and a client that have shaken hands.

    Args:
        certificate: of the server.
        version: of TLS.
        client_pem: certificate of the client, with its key.
        ca: authority of certificates of clients.
        alpn: of the server.
        offered: by the client, by ALPN.
        ciphers: that the client has.
        sni: the name that the client asks for.
    """
    context = server_context(certificate, None, ca, require_client=False, alpn=alpn).getContext()
    server = SSL.Connection(context, None)
    server.set_accept_state()
    client_context = SSL.Context(SSL.TLS_METHOD)
    client_context.set_min_proto_version(version)
    client_context.set_max_proto_version(version)
    if client_pem is not None:
        client_context.use_certificate_file(str(client_pem))
        client_context.use_privatekey_file(str(client_pem))
    if offered:
        client_context.set_alpn_protos(list(offered))
    if ciphers:
        client_context.set_cipher_list(ciphers)
    client = SSL.Connection(client_context, None)
    if sni:
        client.set_tlsext_host_name(sni)
    client.set_connect_state()
    handshake(server, client)
    return server, client


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
