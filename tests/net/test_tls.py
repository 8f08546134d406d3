"""TLS of listeners: what is agreed on, and files that cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest
from OpenSSL import SSL

from broker.errors import BrokerError
from broker.net.certificate import self_signed
from broker.net.tls import Alpn, Names, server_context
from tests.net.handshakes import pair

NOW = 1.8e9
CHAT = b"xmpp-client"
NO_APPLICATION_PROTOCOL = "no application protocol"


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return self_signed(tmp_path, "localhost", NOW)


class TestAlpn:
    """RFC 7301 §3.2."""

    @pytest.mark.parametrize("required", [True, False])
    @pytest.mark.parametrize("offered", [[CHAT], [CHAT, b"h2"], [b"h2", CHAT]])
    def test_a_protocol_that_both_know_is_selected(
        self, certificate: Path, offered: list[bytes], required: bool
    ) -> None:
        server, client = pair(certificate, alpn=Alpn((CHAT,), required=required), offered=offered)
        assert client.get_alpn_proto_negotiated() == server.get_alpn_proto_negotiated() == CHAT

    @pytest.mark.parametrize("alpn", [Alpn(), Alpn((CHAT,))])
    def test_protocols_that_the_server_does_not_know_are_ignored(self, certificate: Path, alpn: Alpn) -> None:
        _, client = pair(certificate, alpn=alpn, offered=[b"http/1.1"])
        assert client.get_alpn_proto_negotiated() == b""
        client.send(b"x")

    def test_but_refused_with_no_application_protocol_where_one_is_required(self, certificate: Path) -> None:
        with pytest.raises(SSL.Error):
            pair(certificate, alpn=Alpn((CHAT,), required=True), offered=[b"http/1.1"])

    def test_a_client_that_offers_none_may_come_where_one_is_required(self, certificate: Path) -> None:
        _, client = pair(certificate, alpn=Alpn((CHAT,), required=True))
        client.send(b"x")


class TestCiphers:
    def test_tls_1_2_has_authenticated_encryption_only(self, certificate: Path) -> None:
        # RFC 9325 §4.2
        with pytest.raises(SSL.Error):
            pair(certificate, SSL.TLS1_2_VERSION, ciphers=b"ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA")
        _, client = pair(certificate, SSL.TLS1_2_VERSION, ciphers=b"ECDHE-ECDSA-AES128-GCM-SHA256")
        client.send(b"x")


class TestFiles:
    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("nothing", "no certificate in PEM format"),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "cannot be read"),
        ],
    )
    def test_a_certificate_that_is_none_is_named(self, tmp_path: Path, text: str, reason: str) -> None:
        path = tmp_path / "broken.pem"
        path.write_text(text)
        with pytest.raises(BrokerError, match=rf"broken\.pem: .*{reason}"):
            server_context(path)

    def test_a_missing_file_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(BrokerError, match=r"missing\.pem: No such file"):
            server_context(tmp_path / "missing.pem")

    def test_a_key_of_another_certificate_is_refused(self, tmp_path: Path, certificate: Path) -> None:
        (tmp_path / "other").mkdir()
        other = self_signed(tmp_path / "other", "localhost", NOW)
        with pytest.raises(BrokerError, match="do not go together"):
            server_context(certificate, other)

    def test_a_file_without_a_key_is_refused(self, tmp_path: Path, certificate: Path) -> None:
        alone = tmp_path / "alone.pem"
        alone.write_bytes(certificate.read_bytes().partition(b"-----BEGIN PRIVATE")[0])
        with pytest.raises(BrokerError, match="no private key"):
            server_context(alone)

    @pytest.mark.parametrize("which", ["cert", "key", "ca"])
    @pytest.mark.parametrize("text", [None, "nothing"])
    def test_the_setting_that_names_the_file_is_named(
        self, tmp_path: Path, certificate: Path, which: str, text: str | None
    ) -> None:
        path = tmp_path / "file.pem"
        if text is not None:
            path.write_text(text)
        files = {"cert": certificate, "key": None, "ca": None, which: path}
        assert files["cert"] is not None
        with pytest.raises(BrokerError, match=rf" the.{which}: .*file\.pem: "):
            server_context(files["cert"], files["key"], files["ca"], names=Names("the.cert", "the.key", "the.ca"))

    def test_authorities_of_clients_are_read_likewise(self, tmp_path: Path, certificate: Path) -> None:
        path = tmp_path / "authorities.pem"
        path.write_text("nothing")
        with pytest.raises(BrokerError, match=r"authorities\.pem: it has no certificate"):
            server_context(certificate, None, path)


class TestReloading:
    """Another certificate in the same file."""

    def renewed(self, certificate: Path, tmp_path: Path, name: str = "localhost") -> bytes:
        (tmp_path / "new").mkdir()
        pem = self_signed(tmp_path / "new", name, NOW).read_bytes()
        certificate.write_bytes(pem)
        return pem

    def test_the_next_connection_has_a_context_of_what_the_files_have_now(
        self, certificate: Path, tmp_path: Path
    ) -> None:
        context = server_context(certificate)
        before = context.getContext()
        self.renewed(certificate, tmp_path)
        assert context.getContext() is before
        context.reload(NOW)
        assert context.getContext() is not before

    @pytest.mark.parametrize("damage", ["rubbish", "gone"])
    def test_files_that_cannot_be_used_change_nothing(self, certificate: Path, damage: str) -> None:
        context = server_context(certificate)
        before = context.getContext()
        certificate.unlink() if damage == "gone" else certificate.write_text(damage)
        with pytest.raises(BrokerError, match=certificate.name):
            context.reload(NOW)
        assert context.getContext() is before

    def test_a_certificate_that_has_expired_changes_nothing(self, certificate: Path) -> None:
        context = server_context(certificate)
        before = context.getContext()
        with pytest.raises(BrokerError, match="the certificate has expired on 2029-04-19"):
            context.reload(NOW + 1000 * 86_400)
        assert context.getContext() is before
