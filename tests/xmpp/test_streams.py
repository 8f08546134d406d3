"""Streams from the header to the end (RFC 6120 §4–§7; spec xmpp §2.4, §2.5)."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from cryptography import x509
from twisted.logger import capturedLogs, formatEvent

from broker.errors import BrokerError, Code
from broker.net.tls_details import TlsDetails
from broker.xml.parse import MAX_NAME
from broker.xmpp.wire import ns
from tests.logs.audit_lines import audit_lines
from tests.net.handshakes import client_certificate
from tests.xmpp.test_routing import condition
from tests.xmpp.world import HEADER, World, settings

STREAM_ERRORS = ns.STREAM_ERRORS
FIRST = base64.b64encode(b"n,,n=joe,r=nonce").decode()


@pytest.fixture
def world() -> World:
    return World()


def token(user: str, password: str = "secret") -> str:
    return base64.b64encode(f"\0{user}\0{password}".encode()).decode()


def auth(user: str, password: str = "secret") -> str:
    return f"<auth xmlns='{ns.SASL}' mechanism='PLAIN'>{token(user, password)}</auth>"


class TestHeader:
    def test_the_server_answers_with_its_own_header_and_features(self, world: World) -> None:
        # RFC 6120 §4.2, §4.3.2
        (features,) = world.peer().open()
        mechanisms = features.find(ns.SASL, "mechanisms")
        assert mechanisms is not None
        assert [each.text for each in mechanisms.children] == ["SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"]

    def test_limits_are_advertised_before_and_after_the_login(self, world: World) -> None:
        # XEP-0478
        peer = world.peer()
        (before,) = peer.open()
        peer.send(auth("joe"))
        peer.take()
        (after,) = peer.open()
        found = [features.find(ns.LIMITS, "limits") for features in (before, after)]
        assert [each.text_of(ns.LIMITS, "max-bytes") for each in found if each] == ["10240", "1048576"]

    @pytest.mark.parametrize(
        ("header", "condition"),
        [
            (HEADER.replace(b"jabber:client", b"jabber:server"), "invalid-namespace"),
            (HEADER.replace(b"to='localhost'", b"to='elsewhere'"), "host-unknown"),
            (HEADER.replace(b" version='1.0' xmlns", b" xmlns"), "unsupported-version"),
            (HEADER.replace(b"http://etherx", b"http://etherz"), "invalid-namespace"),
            (b"\x16\x03\x01\x02\x00\x01\x00>", "unsupported-encoding"),
            (b"GET / HTTP/1.1\r\n\r\n>", "not-well-formed"),
        ],
    )
    def test_a_wrong_header_gets_its_error_on_a_stream_of_ours(
        self, world: World, header: bytes, condition: str
    ) -> None:
        # RFC 6120 §4.9.1.2
        peer = world.peer()
        peer.send(header)
        trees = peer.take()
        assert trees[-1].find(STREAM_ERRORS, condition) is not None
        assert peer.closed

    @pytest.mark.parametrize("to", ["LOCALHOST", "localhost.", "l\uff4fcalhost"])
    def test_the_domain_may_be_written_in_any_form(self, world: World, to: str) -> None:
        # RFC 7622 §3.2
        peer = world.peer()
        peer.send(HEADER.replace(b"to='localhost'", f"to='{to}'".encode()))
        assert peer.names() == ["stream", "features"]

    @pytest.mark.parametrize(
        "to", ["müller.example", "mu\u0308ller.example", "xn--mller-kva.example", "MÜLLER.Example."]
    )
    def test_an_international_domain_may_be_written_in_any_form(self, to: str) -> None:
        # RFC 7622 §3.2.1
        world = World(settings(domain="müller.example"))
        peer = world.peer()
        peer.send(HEADER.replace(b"to='localhost'", f"to='{to}'".encode()))
        assert peer.names() == ["stream", "features"]

    @pytest.mark.parametrize("default", ["", " xmlns='http://etherx.jabber.org/streams'"])
    def test_stanzas_may_declare_the_content_namespace_themselves(self, world: World, default: str) -> None:
        # RFC 6120 §4.8.2
        header = HEADER.replace(b" xmlns='jabber:client'", default.encode())
        peer = world.peer()
        peer.open(header)
        peer.send(auth("joe"))
        peer.take()
        peer.open(header)
        bind = f"<iq xmlns='{ns.CLIENT}' type='set' id='1'><bind xmlns='{ns.BIND}'><resource>x</resource></bind></iq>"
        peer.send(bind)
        assert peer.one().attributes["type"] == "result"
        jack = world.bind("jack@localhost/y")
        peer.send(f"<message xmlns='{ns.CLIENT}' to='jack@localhost/y'><body>hi</body></message>")
        assert jack.bodies() == ["hi"]
        peer.send("<message to='jack@localhost/y'><body>hi</body></message>")
        assert peer.take()[-1].find(STREAM_ERRORS, "invalid-namespace") is not None

    def test_a_client_that_sends_no_header_is_let_go_of(self, world: World) -> None:
        # R3
        peer = world.peer()
        world.advance(9.9)
        assert not peer.closed
        world.advance(0.2)
        assert peer.closed

    def test_a_client_that_has_logged_in_has_more_time_for_its_second_header(self, world: World) -> None:
        peer = world.peer()
        peer.open()
        world.advance(9.9)
        peer.send(auth("joe"))
        peer.take()
        world.advance(0.2)
        assert not peer.closed
        world.advance(50)
        assert peer.closed

    def test_so_is_one_that_does_not_log_in(self, world: World) -> None:
        peer = world.peer()
        peer.open()
        world.advance(59)
        assert not peer.closed
        world.advance(2)
        assert peer.transport.closed
        assert world.timers == 0

    def test_a_long_stanza_before_the_login_is_refused(self, world: World) -> None:
        peer = world.peer()
        peer.open()
        peer.send(f"<auth xmlns='{ns.SASL}' mechanism='PLAIN'>{'A' * 11_000}</auth>")
        assert peer.take()[-1].find(STREAM_ERRORS, "policy-violation") is not None
        assert peer.closed


class TestTls:
    def test_where_tls_is_required_nothing_else_is_offered(self) -> None:
        world = World()
        peer = world.peer(loopback=False)
        (features,) = peer.open()
        start = features.find(ns.TLS, "starttls")
        assert start is not None
        assert start.find(ns.TLS, "required") is not None
        assert features.find(ns.SASL, "mechanisms") is None
        peer.send(auth("joe"))
        assert peer.one().find(ns.SASL, "encryption-required") is not None

    def test_what_came_before_the_handshake_is_forgotten(self, world: World) -> None:
        peer = world.peer()
        peer.open()
        peer.send(f"<starttls xmlns='{ns.TLS}'/>".encode() + HEADER + auth("joe").encode())
        assert peer.one().name == "proceed"
        assert peer.transport.starting_tls
        peer.transport.secure = True
        peer.stream.secured()
        world.turn()
        assert peer.take() == []
        (features,) = peer.open()
        assert features.find(ns.TLS, "starttls") is None

    def test_passwords_need_tls_where_nothing_else_is_said(self) -> None:
        world = World(settings(plain_without_tls=False))
        peer = world.peer()
        (features,) = peer.open()
        mechanisms = features.find(ns.SASL, "mechanisms")
        assert mechanisms is not None
        assert "PLAIN" not in [each.text for each in mechanisms.children]
        peer.send(auth("joe"))
        assert peer.one().find(ns.SASL, "invalid-mechanism") is not None

    def test_over_tls_channel_binding_is_offered(self, world: World) -> None:
        peer = world.peer()
        peer.transport.secure = True
        peer.transport.bindings = {"tls-exporter": b"x"}
        (features,) = peer.open()
        mechanisms = features.find(ns.SASL, "mechanisms")
        assert mechanisms is not None
        assert mechanisms.children[0].text == "SCRAM-SHA-256-PLUS"
        bindings = features.find(ns.SASL_CHANNEL_BINDING, "sasl-channel-binding")
        assert bindings is not None
        assert bindings.children[0].attributes == {"type": "tls-exporter"}

    def test_a_certificate_logs_in(self, world: World, tmp_path: Path) -> None:
        # XEP-0178
        pem = client_certificate(tmp_path / "client.pem", [x509.RFC822Name("joe@localhost")])
        peer = world.peer()
        peer.transport.secure = True
        peer.transport.certificate = x509.load_pem_x509_certificate(pem.read_bytes())
        peer.open()
        peer.send(f"<auth xmlns='{ns.SASL}' mechanism='EXTERNAL'>=</auth>")
        assert peer.one().name == "success"

    def test_a_certificate_of_somebody_without_an_account_logs_nobody_in(self, world: World, tmp_path: Path) -> None:
        pem = client_certificate(tmp_path / "client.pem", [x509.RFC822Name("nobody@localhost")])
        peer = world.peer()
        peer.transport.secure = True
        peer.transport.certificate = x509.load_pem_x509_certificate(pem.read_bytes())
        peer.open()
        peer.send(f"<auth xmlns='{ns.SASL}' mechanism='EXTERNAL'>=</auth>")
        assert peer.one().find(ns.SASL, "not-authorized") is not None

    def test_scram_is_not_offered_where_accounts_have_no_verifiers(self, world: World) -> None:
        world.security.offers_scram = False
        peer = world.peer()
        (features,) = peer.open()
        mechanisms = features.find(ns.SASL, "mechanisms")
        assert mechanisms is not None
        assert [each.text for each in mechanisms.children] == ["PLAIN"]
        peer.send(f"<auth xmlns='{ns.SASL}' mechanism='SCRAM-SHA-1'/>")
        assert peer.one().find(ns.SASL, "invalid-mechanism") is not None


class TestLogin:
    @pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-1"])
    def test_a_store_that_cannot_work_says_nothing_of_a_password(self, world: World, mechanism: str) -> None:
        # RFC 6120 §6.5.11
        world.security.broken = BrokerError(Code.RESOURCE_DB_UNAVAILABLE, "no connection to server at db.example.org")
        peer = world.peer()
        peer.open()
        first = token("joe") if mechanism == "PLAIN" else base64.b64encode(b"n,,n=joe,r=nonce").decode()
        peer.send(f"<auth xmlns='{ns.SASL}' mechanism='{mechanism}'>{first}</auth>")
        failure = peer.one()
        assert failure.name == "failure"
        assert failure.children[0].name == "temporary-auth-failure"
        assert b"example.org" not in failure.to_bytes()

    def test_a_wrong_password_is_told_and_counted(self, world: World) -> None:
        peer = world.peer()
        peer.open()
        peer.send(auth("joe", "wrong"))
        assert peer.one().find(ns.SASL, "not-authorized") is not None
        assert world.security.failures == [("joe", "127.0.0.1")]

    def test_too_many_failures_are_a_temporary_error(self, world: World) -> None:
        world.security.throttled = True
        peer = world.peer()
        peer.open()
        peer.send(f"<auth xmlns='{ns.SASL}' mechanism='SCRAM-SHA-1'>{FIRST}</auth>")
        assert peer.one().find(ns.SASL, "temporary-auth-failure") is not None

    @pytest.mark.parametrize(
        ("action", "outcome"),
        [
            (f"<abort xmlns='{ns.SASL}'/>", "given up"),
            (f"<response xmlns='{ns.SASL}'>{base64.b64encode(b'c=biws,r=nonce,p=AAAA').decode()}</response>", "failed"),
            (f"<response xmlns='{ns.SASL}'>nothing</response>", "given up"),
            (f"<auth xmlns='{ns.SASL}' mechanism='SCRAM-SHA-1'/>", "given up"),
            ("</stream:stream>", "given up"),
            ("", "given up"),
        ],
        ids=["abort", "wrong", "malformed", "begun again", "ended", "cut"],
    )
    def test_whoever_has_seen_a_challenge_has_had_an_attempt(self, world: World, action: str, outcome: str) -> None:
        peer = world.peer()
        peer.open()
        peer.send(f"<auth xmlns='{ns.SASL}' mechanism='SCRAM-SHA-1'>{FIRST}</auth>")
        assert peer.one().name == "challenge"
        assert [each.outcome for each in world.security.attempts] == ["open"]
        if action:
            peer.send(action)
        else:
            peer.cut()
        assert world.security.attempts[0].outcome == outcome

    def test_a_right_answer_gives_the_attempt_back(self, world: World) -> None:
        peer = world.peer()
        peer.send(peer.begin_scram("joe"))
        assert peer.one().name == "success"
        assert [(each.user, each.outcome) for each in world.security.attempts] == [("joe", "succeeded")]

    def test_an_unknown_user_is_told_the_same(self, world: World) -> None:
        peer = world.peer()
        peer.open()
        peer.send(auth("nobody"))
        assert peer.one().find(ns.SASL, "not-authorized") is not None

    def test_the_third_failure_ends_the_stream(self, world: World) -> None:
        # R3
        peer = world.peer()
        peer.open()
        for _ in range(2):
            peer.send(auth("joe", "wrong"))
            peer.take()
            assert not peer.closed
        peer.send(auth("joe", "wrong"))
        assert peer.names() == ["failure", "error", "/"]
        assert peer.closed

    def test_the_log_has_one_line_of_an_address_that_fails_again_and_again(self, world: World) -> None:
        with capturedLogs() as events:
            for _ in range(10):
                peer = world.peer()
                peer.open()
                for _ in range(10):
                    peer.send(f"<abort xmlns='{ns.SASL}'/>")
                for _ in range(3):
                    peer.send(auth("joe", "wrong"))
        texts = [formatEvent(event) for event in events]
        assert [text for text in texts if text.startswith("login ")] == texts[:1]

    def test_a_login_leaves_a_line_in_the_audit(self, world: World) -> None:
        with capturedLogs() as events:
            peer = world.peer()
            peer.open()
            peer.send(auth("joe"))
        assert audit_lines(events) == ["login principal=joe via=xmpp peer=127.0.0.1 mechanism=PLAIN"]

    def test_login_with_tls_is_told_with_its_details(self, world: World) -> None:
        peer = world.peer()
        peer.transport.details = TlsDetails("TLSv1.3", "TLS_AES_256_GCM_SHA384", "chat.example.org")
        with capturedLogs() as events:
            peer.login("joe")
        assert audit_lines(events) == [
            "login principal=joe via=xmpp peer=127.0.0.1 mechanism=PLAIN tls=TLSv1.3 cipher=TLS_AES_256_GCM_SHA384"
            " sni=chat.example.org"
        ]

    def test_after_a_failure_the_right_password_still_logs_in(self, world: World) -> None:
        peer = world.peer()
        peer.open()
        peer.send(auth("joe", "wrong"))
        peer.send(auth("joe"))
        assert peer.names() == ["failure", "success"]

    @pytest.mark.parametrize(
        ("element", "condition"),
        [
            (f"<auth xmlns='{ns.SASL}' mechanism='PLAIN'>not base64</auth>", "incorrect-encoding"),
            (f"<auth xmlns='{ns.SASL}' mechanism='PLAIN'><{'e' * (MAX_NAME + 1)}/></auth>", "malformed-request"),
            (f"<auth xmlns='{ns.SASL}' mechanism='DIGEST-MD5'/>", "invalid-mechanism"),
            (f"<response xmlns='{ns.SASL}'>AAAA</response>", "malformed-request"),
            (f"<abort xmlns='{ns.SASL}'/>", "aborted"),
        ],
    )
    def test_each_misuse_has_its_condition(self, world: World, element: str, condition: str) -> None:
        # RFC 6120 §6.5
        peer = world.peer()
        peer.open()
        peer.send(element)
        assert peer.one().find(ns.SASL, condition) is not None
        assert not peer.closed

    @pytest.mark.parametrize("stanza", ["<message/>", "<presence/>", "<iq type='get' id='1'/>"])
    def test_stanzas_before_the_login_end_the_stream(self, world: World, stanza: str) -> None:
        peer = world.peer()
        peer.open()
        peer.send(stanza)
        assert peer.take()[-1].find(STREAM_ERRORS, "not-authorized") is not None
        assert peer.closed

    def test_anonymous_clients_have_an_account_of_their_own(self) -> None:
        world = World(settings(anonymous=True))
        peer = world.peer()
        peer.open()
        peer.send(f"<auth xmlns='{ns.SASL}' mechanism='ANONYMOUS'/>")
        assert peer.one().name == "success"
        peer.open()
        assert peer.bind("x").startswith("anonymous-")
        assert peer.enable().attributes.get("id") is None  # spec xmpp §1.4, 11


class TestBind:
    def test_a_client_gets_the_resource_that_it_asks_for(self, world: World) -> None:
        peer = world.peer()
        peer.login("joe")
        assert peer.bind("x") == "joe@localhost/x"
        assert peer.transport.is_logged_in

    def test_or_one_of_the_servers_choice(self, world: World) -> None:
        peer = world.peer()
        peer.login("joe")
        jid = peer.bind()
        assert jid.startswith("joe@localhost/")
        assert len(jid) > len("joe@localhost/") + 8

    def test_a_resource_that_cannot_be_one_is_refused_and_another_may_be_asked_for(self, world: World) -> None:
        peer = world.peer()
        peer.login("joe")
        peer.send(f"<iq type='set' id='1'><bind xmlns='{ns.BIND}'><resource>{'x' * 1024}</resource></bind></iq>")
        error = peer.one().find(ns.CLIENT, "error")
        assert error is not None
        assert error.find(ns.STANZAS, "bad-request") is not None
        assert peer.bind("x") == "joe@localhost/x"

    def test_the_new_one_wins(self, world: World) -> None:
        old = world.bind("joe@localhost/x")
        new = world.bind("joe@localhost/x")
        (error,) = old.take()
        assert error.find(STREAM_ERRORS, "conflict") is not None
        assert old.closed
        assert new.jid == "joe@localhost/x"
        assert len(world.service.domain.clients) == 1

    @pytest.mark.parametrize(
        "stanza", ["<message to='joe@localhost'/>", "<presence/>", "<iq type='get' id='1'><x/></iq>"]
    )
    def test_stanzas_before_the_bind_end_the_stream(self, world: World, stanza: str) -> None:
        # RFC 6120 §7.1
        peer = world.peer()
        peer.login("joe")
        peer.send(stanza)
        assert peer.take()[-1].find(STREAM_ERRORS, "not-authorized") is not None

    @pytest.mark.parametrize("attributes", ["type='get' id='1'", "type='set'"])
    def test_a_bind_that_is_no_request_to_change_something_is_refused_and_may_be_repeated(
        self, world: World, attributes: str
    ) -> None:
        # RFC 6120 §7.6.1, §8.2.3
        peer = world.peer()
        peer.login("joe")
        peer.send(f"<iq {attributes}><bind xmlns='{ns.BIND}'/></iq>")
        assert condition(peer.one()) == "bad-request"
        assert peer.bind("x") == "joe@localhost/x"

    def test_the_old_session_request_is_answered(self, world: World) -> None:
        peer = world.bind("joe@localhost/x", presence=None)
        peer.send(f"<iq type='set' id='1'><session xmlns='{ns.SESSION}'/></iq>")
        assert peer.one().attributes["type"] == "result"


class TestBoundStream:
    def test_nobody_sends_in_the_name_of_another(self, world: World) -> None:
        # RFC 6120 §8.1.2.1
        peer = world.bind("joe@localhost/x")
        peer.send("<message from='jack@localhost' to='mary@localhost'><body>hi</body></message>")
        assert peer.one().find(STREAM_ERRORS, "invalid-from") is not None

    @pytest.mark.parametrize("from_", ["JOE@localhost/x", "joe@LOCALHOST.", "joe@localhost", "\uff4aoe@localhost/x"])
    def test_ones_own_address_may_be_written_in_any_form(self, world: World, from_: str) -> None:
        # RFC 6120 §8.1.2.1, RFC 7622 §3
        joe, jack = world.bind("joe@localhost/x"), world.bind("jack@localhost/y")
        joe.send(f"<message from='{from_}' to='jack@localhost/y'><body>hi</body></message>")
        assert jack.one().attributes["from"] == "joe@localhost/x"

    @pytest.mark.parametrize(
        ("data", "condition"),
        [
            ("<message></presence>", "not-well-formed"),
            ("<!-- hello -->", "restricted-xml"),
            ("<message>&x;</message>", "restricted-xml"),
            ("<message xmlns='jabber:server'/>", "invalid-namespace"),
            ("<p:message/>", "bad-namespace-prefix"),
            ("hello", "bad-format"),
        ],
    )
    def test_a_broken_stream_ends_with_its_error(self, world: World, data: str, condition: str) -> None:
        peer = world.bind("joe@localhost/x")
        peer.send(data + "<presence/>")
        assert peer.take()[-1].find(STREAM_ERRORS, condition) is not None
        assert peer.closed
        assert world.node.sessions == {}

    def test_the_end_is_answered_with_the_end(self, world: World) -> None:
        # RFC 6120 §4.4
        peer = world.bind("joe@localhost/x")
        peer.send("</stream:stream>")
        assert peer.names() == ["/"]
        assert peer.closed
        assert world.node.sessions == {}
        assert world.timers == 0

    def test_a_failure_of_the_server_costs_one_client_its_stream(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        joe, jack = world.bind("joe@localhost/x"), world.bind("jack@localhost/x")

        def broken(*_: object) -> None:
            raise RuntimeError("a bug")

        monkeypatch.setattr(world.service.router, "message", broken)
        joe.send("<message to='jack@localhost'/>")
        assert joe.one().find(STREAM_ERRORS, "internal-server-error") is not None
        assert not jack.closed

    def test_one_traceback_a_minute_is_logged_of_an_address_that_brings_about_failures(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*_: object) -> None:
            raise RuntimeError("a bug")

        monkeypatch.setattr(world.service.router, "message", broken)
        with capturedLogs() as events:
            for _ in range(10):
                world.bind("joe@localhost/x").send("<message to='jack@localhost'/>")
        assert len([event for event in events if "log_failure" in event]) == 1


class TestSilence:
    def test_a_silent_client_is_asked_at_half_the_time(self, world: World) -> None:
        # R1
        peer = world.bind("joe@localhost/x")
        world.advance(179)
        assert peer.take() == []
        world.advance(2)
        ping = peer.one()
        assert ping.find(ns.PING, "ping") is not None

    def test_one_that_does_not_answer_is_let_go_of(self, world: World) -> None:
        # R2
        peer = world.bind("joe@localhost/x")
        world.advance(181)
        peer.take()
        world.advance(178)
        assert not peer.closed
        world.advance(2)
        assert peer.take()[-1].find(STREAM_ERRORS, "connection-timeout") is not None
        assert world.node.sessions == {}

    def test_any_byte_is_a_sign_of_life(self, world: World) -> None:
        peer = world.bind("joe@localhost/x")
        for _ in range(20):
            world.advance(170)
            peer.send(" ")
        assert peer.take() == []
        assert not peer.closed

    def test_an_answer_to_the_question_is_one_too(self, world: World) -> None:
        peer = world.bind("joe@localhost/x")
        for _ in range(10):
            world.advance(181)
            ping = peer.one()
            peer.send(f"<iq type='result' id='{ping.attributes['id']}' to='localhost'/>")
        assert not peer.closed
        assert peer.take() == []

    def test_a_client_with_stream_management_is_asked_for_its_counter(self) -> None:
        world = World(settings(sm_ask=False))
        joe, jack = world.bind("joe@localhost/x"), world.bind("jack@localhost/x", sm=True)
        joe.send("<message to='jack@localhost/x' type='chat'><body>hi</body></message>")
        jack.take()
        world.advance(181)
        assert jack.names() == ["r"]

    def test_it_can_be_turned_off(self) -> None:
        world = World(settings(idle=-1))
        peer = world.bind("joe@localhost/x")
        world.advance(100_000)
        assert not peer.closed
        assert world.timers == 0
