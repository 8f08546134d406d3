"""Another certificate while connections are there: they stay, and new ones see it (operations, proof 28)."""

from __future__ import annotations

import os
import signal
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.system.launcher import BrokerProcess, wait_until
from tests.system.sizes import size

pytestmark = [pytest.mark.system, pytest.mark.timeout(size(120, 600))]

CONNECTIONS = size(4, 166)
"""Of each kind; HTTP has 200 at most."""
HEADER = b"<stream:stream to='localhost' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
STARTTLS = b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
LIVE = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
PING = b"<methodCall><methodName>xmlBlaster.ping</methodName></methodCall>"
CALL = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%b" % (len(PING), PING)
KINDS = ("XMPP", "XMPP-TLS", "ADMIN", "XMLRPC")


class Site:
    """A broker whose listeners show the certificate of one file.

    Args:
        directory: of its data and the file.
        watch: seconds after which it looks at the file; 0 for never.
    """

    def __init__(self, directory: Path, watch: int) -> None:
        self.authority = trustme.CA()
        self.file = directory / "chain.pem"
        self.renew()
        settings = {"plugin/admin/port": "0", "xmpp.certificate": str(self.file)}
        settings["plugin/admin/certificate"] = settings["plugin/xmlrpc/certificate"] = str(self.file)
        settings |= {"plugin/xmlrpc/port": "0", "plugin/xmlrpc/SSL": "true", "tls.watchSeconds": str(watch)}
        self.broker = BrokerProcess(directory / "data", settings=settings)

    def renew(self) -> bytes:
        """Have another certificate in the file; tells it (DER)."""
        issued = self.authority.issue_cert("localhost")
        issued.private_key_and_cert_chain_pem.write_to_path(str(self.file))
        return ssl.PEM_cert_to_DER_cert(issued.cert_chain_pems[0].bytes().decode())

    def connect(self, kind: str) -> ssl.SSLSocket:
        """Connect, and do what comes before TLS."""
        plain = socket.create_connection(self.broker.address(kind), timeout=20)
        if kind == "XMPP":
            plain.sendall(HEADER)
            read_until(plain, b"</stream:features>")
            plain.sendall(STARTTLS)
            read_until(plain, b"<proceed")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context.wrap_socket(plain, server_hostname="localhost")

    def reload(self) -> None:
        """Have the broker read the file again, also for HTTP, which is no listener of clients."""
        os.kill(self.broker.pid, signal.SIGHUP)


def read_until(connection: socket.socket, end: bytes) -> None:
    """Read what comes; it must not end before."""
    read = b""
    while end not in read:
        data = connection.recv(4096)
        assert data, read
        read += data


def answers(kind: str, connection: ssl.SSLSocket) -> None:
    """The connection is served."""
    if kind == "ADMIN":
        connection.sendall(LIVE)
        read_until(connection, b'"live"')
    elif kind == "XMLRPC":
        connection.sendall(CALL)
        read_until(connection, b"state id=&apos;OK&apos;")
    else:
        connection.sendall(HEADER)
        read_until(connection, b"</stream:features>")


def certificate_of(connection: ssl.SSLSocket) -> bytes:
    """What was shown, and close the connection."""
    shown = connection.getpeercert(binary_form=True)
    connection.close()
    assert shown is not None
    return shown


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path, watch=0)
    with made.broker:
        yield made


def shown(site: Site) -> list[bytes]:
    """The certificates that new connections see."""
    return [certificate_of(site.connect(kind)) for kind in KINDS]


def test_certificate_is_read_again_and_no_connection_is_lost(site: Site) -> None:
    connections = [(kind, site.connect(kind)) for kind in KINDS for _ in range(CONNECTIONS)]
    renewed = site.renew()

    site.reload()

    wait_until(lambda: shown(site) == [renewed] * len(KINDS))
    for kind, connection in connections:
        answers(kind, connection)
        connection.close()


def test_file_that_cannot_be_used_changes_nothing(site: Site) -> None:
    before = shown(site)
    site.file.write_text("no certificate")
    site.reload()
    site.broker.wait_for_log("reload via=signal outcome=failed")
    assert shown(site) == before


def test_listeners_that_look_at_their_files_read_another_certificate_by_themselves(tmp_path: Path) -> None:
    site = Site(tmp_path, watch=1)
    with site.broker:
        renewed = site.renew()

        wait_until(lambda: shown(site) == [renewed] * len(KINDS))
