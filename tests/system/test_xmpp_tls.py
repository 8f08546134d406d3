"""TLS of XMPP on real sockets: channel binding, client certificates, and connections that come to nothing."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import select
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest
import trustme
from OpenSSL import SSL

from broker.xmpp.wire import ns
from tests.system.launcher import BrokerProcess, wait_until

pytestmark = pytest.mark.system

HEADER = (f"<stream:stream to='localhost' version='1.0' xmlns='{ns.CLIENT}' xmlns:stream='{ns.STREAM}'>").encode()


class TlsClient:
    """A client that speaks bytes over direct TLS."""

    def __init__(self, broker: BrokerProcess, certificate: Path | None = None) -> None:
        context = SSL.Context(SSL.TLS_METHOD)
        context.set_min_proto_version(SSL.TLS1_3_VERSION)
        context.set_alpn_protos([b"xmpp-client"])
        if certificate is not None:
            context.use_certificate_chain_file(str(certificate))
            context.use_privatekey_file(str(certificate))
        self._socket = socket.create_connection(broker.address("XMPP-TLS"), 10)
        self.tls = SSL.Connection(context, self._socket)
        self.tls.set_connect_state()
        self.tls.setblocking(True)
        self._data = b""
        try:
            self.tls.do_handshake()
        except BaseException:
            self.close()
            raise

    def send(self, data: bytes) -> None:
        self.tls.sendall(data)

    def until(self, pattern: bytes) -> re.Match[bytes]:
        """Read until this has come."""
        while (found := re.search(pattern, self._data)) is None:
            self._data += self.tls.recv(65536)
        self._data = self._data[found.end() :]
        return found

    def mechanisms(self) -> list[bytes]:
        """Open the stream; returns what logins are offered."""
        self.send(HEADER)
        return re.findall(b"<mechanism>(.*?)</mechanism>", self.until(b"(?s).*</stream:features>")[0])

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def broker(tmp_path: Path, authority: trustme.CA) -> Iterator[BrokerProcess]:
    ca = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(ca)
    settings = {"xmpp.clientCertificates": str(ca)}
    with BrokerProcess(tmp_path / "data", settings=settings) as started:
        started.add_accounts("joe")
        yield started


def scram_plus(client: TlsClient, password: bytes, binding: bytes) -> bytes:
    """Log in with SCRAM-SHA-256-PLUS; returns the name of the answer."""
    gs2, bare = b"p=tls-exporter,,", b"n=joe,r=abcdef"
    first = base64.b64encode(gs2 + bare)
    client.send(f"<auth xmlns='{ns.SASL}' mechanism='SCRAM-SHA-256-PLUS'>{first.decode()}</auth>".encode())
    challenge = base64.b64decode(client.until(b"<challenge[^>]*>(.*?)</challenge>")[1])
    fields = dict(part.split(b"=", 1) for part in challenge.split(b","))
    salted = hashlib.pbkdf2_hmac("sha256", password, base64.b64decode(fields[b"s"]), int(fields[b"i"]))
    without = b"c=" + base64.b64encode(gs2 + binding) + b",r=" + fields[b"r"]
    key = hmac.digest(salted, b"Client Key", "sha256")
    signature = hmac.digest(hashlib.sha256(key).digest(), b",".join((bare, challenge, without)), "sha256")
    proof = base64.b64encode(bytes(a ^ b for a, b in zip(key, signature, strict=True)))
    response = base64.b64encode(without + b",p=" + proof).decode()
    client.send(f"<response xmlns='{ns.SASL}'>{response}</response>".encode())
    return client.until(b"<(success|failure)[^>]*>")[1]


def test_a_login_is_bound_to_its_channel(broker: BrokerProcess) -> None:
    with TlsClient(broker) as client:
        assert client.tls.get_alpn_proto_negotiated() == b"xmpp-client"
        offered = client.mechanisms()
        assert offered[:2] == [b"SCRAM-SHA-256-PLUS", b"SCRAM-SHA-1-PLUS"]
        assert b"EXTERNAL" not in offered
        assert scram_plus(client, b"secret", b"another channel") == b"failure"
        binding = client.tls.export_keying_material(b"EXPORTER-Channel-Binding", 32, b"")
        assert scram_plus(client, b"secret", binding) == b"success"


def test_a_client_certificate_logs_in(broker: BrokerProcess, authority: trustme.CA, tmp_path: Path) -> None:
    pem = tmp_path / "joe.pem"
    authority.issue_cert("joe@localhost").private_key_and_cert_chain_pem.write_to_path(pem)
    with TlsClient(broker, pem) as client:
        assert client.mechanisms()[0] == b"EXTERNAL"
        client.send(f"<auth xmlns='{ns.SASL}' mechanism='EXTERNAL'>=</auth>".encode())
        assert client.until(b"<(success|failure)[^>]*>")[1] == b"success"


def test_a_certificate_of_a_foreign_authority_does_not(broker: BrokerProcess, tmp_path: Path) -> None:
    pem = tmp_path / "joe.pem"
    trustme.CA().issue_cert("joe@localhost").private_key_and_cert_chain_pem.write_to_path(pem)
    with pytest.raises((SSL.Error, OSError)), TlsClient(broker, pem) as client:
        client.mechanisms()


def open_files(broker: BrokerProcess) -> int:
    return len(list(Path(f"/proc/{broker.pid}/fd").iterdir()))


def break_off(connection: socket.socket, way: int) -> None:
    """Come to nothing, in one of several ways."""
    start_tls = HEADER + f"<starttls xmlns='{ns.TLS}'/>".encode()
    wrong = f"<auth xmlns='{ns.SASL}' mechanism='SCRAM-SHA-1'>biwsbj1qb2Uscj1hYmM=</auth>".encode()
    said: Any = (b"", HEADER[: way % len(HEADER)], start_tls, start_tls + b"\x16\x03\x01", HEADER + wrong, b"\0" * 99)
    connection.sendall(said[way % len(said)])
    if way % 3:
        select.select([connection], [], [], 0.05)
    if way % 2:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset instead of an end
    connection.close()


def test_connections_that_come_to_nothing_leave_nothing(broker: BrokerProcess) -> None:
    before = open_files(broker)
    for way in range(600):
        break_off(socket.create_connection(broker.address("XMPP" if way % 4 else "XMPP-TLS")), way)
    wait_until(lambda: open_files(broker) == before)
    assert "Traceback" not in broker.log_path.read_text()
    with TlsClient(broker) as client:
        assert client.mechanisms()
