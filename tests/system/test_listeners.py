"""Several listeners of one protocol by plugin file: plain, TLS and compressed; and callback servers of clients."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from twisted.internet.ssl import Certificate, optionsForClientTLS, trustRootFromCertificates

from broker.client import BlockingClient, ConnectOptions
from broker.errors import BrokerError
from broker.native.wire.frames import Frame, FrameReader, Kind, Unit, encode_frame, encode_unit, encode_units
from tests.system.launcher import BrokerProcess
from tests.system.stream_client import StreamClient

pytestmark = pytest.mark.system

PLUGINS = """
<xmlBlaster>
  <plugin id='subPersistence' className='org.xmlBlaster.engine.SessionPersistencePlugin'>
    <action do='LOAD' onStartupRunlevel='3' sequence='1'/>
  </plugin>
  <plugin id='SOCKET' className='org.xmlBlaster.protocol.socket.SocketDriver'>
    <attribute id='port'>0</attribute>
    <action do='LOAD' onStartupRunlevel='4' sequence='20'/>
  </plugin>
  <plugin id='SOCKET_SSL' className='org.xmlBlaster.protocol.socket.SocketDriver'>
    <attribute id='port'>0</attribute>
    <attribute id='SSL'>true</attribute>
    <attribute id='certificate'>{certificate}</attribute>
    {client_ca}
    <action do='LOAD' onStartupRunlevel='4' sequence='21'/>
  </plugin>
  <plugin id='SOCKET_Z' className='org.xmlBlaster.protocol.socket.SocketDriver'>
    <attribute id='port'>0</attribute>
    <attribute id='compress/type'>zlib:stream</attribute>
    <action do='LOAD' onStartupRunlevel='4' sequence='22'/>
  </plugin>
</xmlBlaster>
"""


class Site:
    """A broker with three listeners, and the authority that its clients trust."""

    def __init__(self, directory: Path, *, client_certificates: bool = False) -> None:
        self.authority = trustme.CA()
        self.directory = directory
        certificate = directory / "broker.pem"
        self.authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(certificate))
        self.authority_file = directory / "authority.pem"
        self.authority.cert_pem.write_to_path(str(self.authority_file))
        client_ca = (
            f"<attribute id='clientCertificates'>{self.authority_file}</attribute>" if client_certificates else ""
        )
        plugins = directory / "plugins.xml"
        plugins.write_text(PLUGINS.format(certificate=certificate, client_ca=client_ca))
        self.broker = BrokerProcess(
            directory / "data",
            settings={"plugin/socket/port": "0", "plugin/socket/callbackHosts": "127.0.0.1"},
            arguments=["--plugins", str(plugins)],
        )

    def tls(self, *, trusts: bool = True):  # type: ignore[no-untyped-def]
        authority = self.authority if trusts else trustme.CA()
        root = trustRootFromCertificates([Certificate.loadPEM(authority.cert_pem.bytes())])
        return optionsForClientTLS("localhost", trustRoot=root)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    with made.broker as broker:
        broker.add_accounts("joe")
        yield made


def client(site: Site, listener: str, **settings: object) -> BlockingClient:
    host, port = site.broker.address(listener)
    made = BlockingClient(host, port, ConnectOptions("joe", "secret"), retries=0, **settings)
    made.connect()
    return made


def test_all_listeners_lead_to_the_same_broker(site: Site) -> None:
    plain = client(site, "SOCKET")
    plain.publish("weather", "sunny")
    encrypted = client(site, "SOCKET_SSL", tls=site.tls())
    compressed = client(site, "SOCKET_Z", compress=True)
    for each in (encrypted, compressed):
        assert [update.text for update in each.get("weather")] == ["sunny"]
        each.subscribe("weather")
        assert next(each.updates(timeout=5)).initial
    for each in (plain, encrypted, compressed):
        each.disconnect()


def test_client_that_does_not_trust_the_certificate_does_not_log_in(site: Site) -> None:
    with pytest.raises(BrokerError) as raised:
        client(site, "SOCKET_SSL", tls=site.tls(trusts=False))
    assert raised.value.is_communication


def test_client_command_that_does_not_trust_the_certificate_says_what_to_give(site: Site) -> None:
    host, port = site.broker.address("SOCKET_SSL")
    server = f"socket://{host}:{port}"
    ping = site.broker.run_command(
        "ping", "--server", server, "--user", "joe", "--tls", "--password-stdin", stdin="x\n"
    )
    assert ping.returncode == 3
    assert "--ca FILE" in ping.stderr


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")  # it is what is tested
def test_old_tls_is_refused(site: Site) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(site.authority_file)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        socket.create_connection(site.broker.address("SOCKET_SSL"), timeout=10) as plain,
        pytest.raises((ssl.SSLError, ConnectionError)),
    ):
        context.wrap_socket(plain, server_hostname="localhost").close()


def test_client_without_certificate_is_refused_where_one_is_asked_for(tmp_path: Path) -> None:
    site = Site(tmp_path, client_certificates=True)
    with site.broker:
        with pytest.raises(BrokerError):
            client(site, "SOCKET_SSL", tls=site.tls())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(site.authority_file)
        own = tmp_path / "client.pem"
        site.authority.issue_cert("joe@localhost").private_key_and_cert_chain_pem.write_to_path(str(own))
        context.load_cert_chain(own)
        with (
            socket.create_connection(site.broker.address("SOCKET_SSL"), timeout=10) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as encrypted,
        ):
            encrypted.sendall(b"        10")
            assert b"ping" in encrypted.recv(1000)


def test_certificate_that_is_missing_keeps_the_broker_from_starting(tmp_path: Path) -> None:
    site = Site(tmp_path)
    (tmp_path / "broker.pem").unlink()
    site.broker.spawn()
    site.broker.wait_for_log(r"broker\.pem: No such file")
    site.broker.close()


class CallbackServer:
    """A client's callback server: takes updates and acknowledges them."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.contents: list[bytes] = []
        self.arrived = threading.Condition()
        self._connection: socket.socket | None = None
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def wait_for(self, count: int) -> bool:
        with self.arrived:
            return self.arrived.wait_for(lambda: len(self.contents) >= count, timeout=10)

    def hang_up(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(OSError):  # the broker has hung up before
                self._connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # wakes whoever accepts
        while self._thread.is_alive():
            self.hang_up()
            self._thread.join(0.1)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                self._connection = connection
                with contextlib.suppress(OSError):  # it is lost, and the next one comes
                    self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        reader = FrameReader(1 << 20)
        while data := connection.recv(65536):
            for frame in reader.feed(data):
                self._take(connection, frame)

    def _take(self, connection: socket.socket, frame: Frame) -> None:
        units = frame.units()
        ok = encode_unit(b"<qos><state id='OK'/></qos>") * len(units)
        connection.sendall(encode_frame(Kind.RESPONSE, frame.request_id, frame.method, frame.session, ok))
        with self.arrived:
            self.contents += [unit.content for unit in units] if frame.method == b"update" else []
            self.arrived.notify_all()


class Native:
    """A client by hand, because ours has no callback server."""

    def __init__(self, broker: BrokerProcess) -> None:
        self._socket = socket.create_connection(broker.address(), timeout=10)
        broker.on_close.append(self._socket.close)
        self._reader = FrameReader(1 << 20)
        self._secret = b""

    def call(self, method: bytes, *units: Unit) -> Frame:
        self._socket.sendall(encode_frame(Kind.INVOKE, b"1", method, self._secret, encode_units(units)))
        while True:
            for frame in self._reader.feed(self._socket.recv(65536)):
                return frame

    def connect(self, name: str, callback: str, extra: str = "") -> Frame:
        qos = (
            "<qos><securityService type='htpasswd' version='1.0'><user>joe</user><passwd>secret</passwd>"
            "</securityService>"
            f"<session name='{name}'/><queue relating='callback'>{callback}</queue>{extra}</qos>"
        )
        answer = self.call(b"connect", Unit(qos.encode()))
        self._secret = answer.session
        return answer


def callback(port: int, host: str = "127.0.0.1") -> str:
    return (
        f"<callback type='SOCKET' retries='-1' delay='200'>socket://{host}:{port}"
        "<attribute name='callbackServer' type='boolean'>true</attribute></callback>"
    )


class TestCallbackServers:
    @pytest.fixture
    def server(self) -> Iterator[CallbackServer]:
        with contextlib.closing(CallbackServer()) as made:
            yield made

    def test_updates_go_to_the_server_that_the_client_names(self, site: Site, server: CallbackServer) -> None:
        joe = Native(site.broker)
        joe.connect("joe/1", callback(server.port))
        joe.call(b"subscribe", Unit(b"<qos/>", b"<key oid='a'/>"))
        joe.call(b"publish", Unit(b"<qos/>", b"<key oid='a'/>", b"hello"))
        assert server.wait_for(1)
        assert server.contents == [b"hello"]

    def test_server_is_dialled_again_when_the_connection_is_lost(self, site: Site, server: CallbackServer) -> None:
        joe = Native(site.broker)
        joe.connect("joe/1", callback(server.port))
        joe.call(b"subscribe", Unit(b"<qos/>", b"<key oid='a'/>"))
        joe.call(b"publish", Unit(b"<qos/>", b"<key oid='a'/>", b"1"))
        assert server.wait_for(1)
        server.hang_up()
        joe.call(b"publish", Unit(b"<qos/>", b"<key oid='a'/>", b"2"))
        assert server.wait_for(2)
        assert list(dict.fromkeys(server.contents)) == [b"1", b"2"]

    def test_server_is_dialled_after_a_crash_of_the_broker(self, site: Site, server: CallbackServer) -> None:
        joe = Native(site.broker)
        joe.connect("joe/1", callback(server.port), "<persistent/>")
        joe.call(b"subscribe", Unit(b"<qos><persistent/></qos>", b"<key oid='a'/>"))
        site.broker.restart()
        pub = Native(site.broker)
        pub.connect("joe/2", "")
        pub.call(b"publish", Unit(b"<qos/>", b"<key oid='a'/>", b"after"))
        assert server.wait_for(1)

    @pytest.mark.parametrize("address", [("127.0.0.2", 80), ("example.org", 80)])
    def test_broker_dials_nobody_who_is_not_named(self, site: Site, address: tuple[str, int]) -> None:
        answer = Native(site.broker).connect("joe/1", callback(address[1], address[0]))
        assert answer.kind is Kind.EXCEPTION
        assert answer.units()[0].qos == b"resource.configuration.address"


TWO_XMPP = """
<xmlBlaster>
  <plugin id='subPersistence' className='org.xmlBlaster.engine.SessionPersistencePlugin'>
    <action do='LOAD' onStartupRunlevel='3' sequence='1'/>
  </plugin>
  <plugin id='A' className='broker.plugins.xmpp.XmppPlugin'>
    <attribute id='port'>0</attribute>
    <attribute id='directTlsPort'>-1</attribute>
    <action do='LOAD' onStartupRunlevel='4' sequence='30'/>
  </plugin>
  <plugin id='B' className='broker.plugins.xmpp.XmppPlugin'>
    <attribute id='port'>0</attribute>
    <attribute id='directTlsPort'>-1</attribute>
    <action do='LOAD' onStartupRunlevel='4' sequence='31'/>
  </plugin>
</xmlBlaster>
"""


@pytest.mark.parametrize("type", ["normal", "chat"])
def test_clients_of_two_xmpp_listeners_reach_each_others_resources(tmp_path: Path, type: str) -> None:
    plugins = tmp_path / "plugins.xml"
    plugins.write_text(TWO_XMPP)
    settings = {"xmpp.plainWithoutTls": "true"}
    with BrokerProcess(tmp_path / "data", settings=settings, arguments=["--plugins", str(plugins)]) as broker:
        broker.add_accounts("joe", "jack")
        joe, jack = StreamClient(broker, "joe", listener="A"), StreamClient(broker, "jack", listener="B")
        for client in (joe, jack):
            assert client.go_on()

        joe.send_stanza(f"<message to='jack@localhost/x' type='{type}'><body>across</body></message>")
        jack.wait_for_message()  # behind its own presence
        assert jack.got == ["across"]
