"""TLS of links, from the manager's side."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import Factory, Protocol
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.test import iosim
from zope.interface import implementer

from broker.config.properties import Properties
from broker.config.syntax import Setting
from broker.errors import BrokerError
from broker.manager.server_tls import link_tls
from broker.manager.settings import settings_of
from broker.net.certificate import self_signed
from broker.net.tls import server_context
from tests.net.handshakes import client_certificate


@implementer(IHandshakeListener)
class End(Protocol):
    """One end of a link."""

    def __init__(self) -> None:
        self.is_secure = False

    def handshakeCompleted(self) -> None:
        self.is_secure = True


def shake(certificate: Path, client_ca: Path | None = None, **values: str) -> tuple[bool, x509.Certificate | None]:
    """Whether a link gets TLS, and what the manager shows.

    Args:
        certificate: of the server.
        client_ca: PEM file of the authorities that the manager's certificate must be of.
        values: properties of the manager, with underscores for the dots of their names.
    """
    given = {"xmpp.password": "secret", **{name.replace("_", "."): value for name, value in values.items()}}
    settings = settings_of(Properties([Setting(name, value, "test") for name, value in given.items()]))
    ends = End(), End()
    manager, server = (
        TLSMemoryBIOProtocol(TLSMemoryBIOFactory(tls, is_client, Factory()), end)
        for tls, is_client, end in (
            (link_tls(settings)(), True, ends[0]),
            (server_context(certificate, client_ca=client_ca), False, ends[1]),
        )
    )
    pump = iosim.connect(server, iosim.FakeTransport(server, True), manager, iosim.FakeTransport(manager, False))
    pump.flush()
    is_secure = all(end.is_secure for end in ends)
    return is_secure, server.getHandle().get_peer_certificate(as_cryptography=True) if is_secure else None


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return self_signed(tmp_path, "localhost", datetime.now(UTC).timestamp())


def test_server_of_a_given_authority_is_trusted(certificate: Path) -> None:
    assert shake(certificate, xmpp_server_certificate_authorities=str(certificate))[0]


def test_any_of_several_authorities_will_do(certificate: Path, tmp_path: Path) -> None:
    authorities = tmp_path / "authorities.pem"
    authorities.write_bytes(trustme.CA().cert_pem.bytes() + certificate.read_bytes())
    assert shake(certificate, xmpp_server_certificate_authorities=str(authorities))[0]


def test_server_of_another_authority_is_not(certificate: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    other.write_bytes(trustme.CA().cert_pem.bytes())
    assert not shake(certificate, xmpp_server_certificate_authorities=str(other))[0]


@pytest.mark.parametrize("verify", ["true", "false"])
def test_manager_shows_its_certificate(certificate: Path, tmp_path: Path, verify: str) -> None:
    own = client_certificate(tmp_path / "own.pem", [], "cm1")
    is_secure, shown = shake(
        certificate,
        own,
        xmpp_server_certificate_authorities=str(certificate),
        xmpp_server_certificate_verify=verify,
        xmpp_manager_certificate=str(own),
    )
    assert is_secure
    assert shown is not None
    assert shown.subject.rfc4514_string() == "CN=cm1"


@pytest.mark.parametrize("name", ["xmpp_server_certificate_authorities", "xmpp_manager_certificate"])
@pytest.mark.parametrize("text", [None, "garbage"])
def test_file_that_cannot_be_used_is_named(tmp_path: Path, name: str, text: str | None) -> None:
    path = tmp_path / "file.pem"
    if text is not None:
        path.write_text(text)
    with pytest.raises(BrokerError, match=str(path)):
        shake(path, None, **{name: str(path)})


def test_server_must_have_a_certificate_for_the_domain(certificate: Path) -> None:
    values = {"xmpp_server_certificate_authorities": str(certificate), "xmpp_domain": "other.example"}
    assert not shake(certificate, None, **values)[0]
