"""What administrators of xmlBlaster bring along: plugin file, htpasswd file, switches."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from passlib.hash import apr_md5_crypt  # type: ignore[import-untyped]

from broker.client import BlockingClient, ConnectOptions
from broker.errors import BrokerError, Code
from tests.system.launcher import ANY_PORTS, BrokerProcess, LaunchError

pytestmark = pytest.mark.system

STOCK = Path(__file__).parents[1] / "data" / "xmlBlasterPlugins.xml"
SECRET_FILE = "Security.Server.Plugin.htpasswd.secretfile"


def client(broker: BrokerProcess, user: str, password: str = "secret", **settings: str) -> BlockingClient:
    made = BlockingClient(*broker.address(), ConnectOptions(user, password, **settings), retries=0)  # type: ignore[arg-type]
    made.connect()
    return made


class TestPluginFile:
    def test_one_of_xmlblaster_loads_and_what_is_missing_is_named_once(self, tmp_path: Path) -> None:
        settings = {"plugin/socket/port": "0", "stock.port": "7607"}
        with BrokerProcess(tmp_path / "data", settings=settings, arguments=["--plugins", str(STOCK)]) as broker:
            assert broker.log().count("CORBA is not supported") == 1
            assert set(broker.ports) == {"SOCKET"}

    def test_one_that_opens_ports_before_sessions_are_recovered_is_refused_with_the_line(self, tmp_path: Path) -> None:
        plugins = tmp_path / "plugins.xml"
        plugins.write_text(
            "<xmlBlaster>\n"
            " <plugin id='SOCKET' className='org.xmlBlaster.protocol.socket.SocketDriver'>\n"
            "  <action do='LOAD' onStartupRunlevel='3' sequence='1'/>\n"
            " </plugin>\n"
            " <plugin id='subPersistence' className='org.xmlBlaster.engine.SessionPersistencePlugin'>\n"
            "  <action do='LOAD' onStartupRunlevel='4' sequence='1'/>\n"
            " </plugin>\n"
            "</xmlBlaster>\n"
        )
        broker = BrokerProcess(tmp_path / "data", arguments=["--plugins", str(plugins)])
        broker.spawn()
        broker.wait_for_log(r"plugins\.xml:2: .*sessions")
        broker.close()


class TestHtpasswd:
    @pytest.fixture
    def broker(self, tmp_path: Path) -> Iterator[BrokerProcess]:
        secrets = tmp_path / "htpasswd"
        hashed = apr_md5_crypt.hash("secret")
        secrets.write_text(f"# users\njoe:{hashed}\nguest:{hashed}:connect,disconnect,publish(tennis),get(tennis)\n")
        settings = {"plugin/socket/port": "0", SECRET_FILE: str(secrets)}
        with BrokerProcess(tmp_path / "data", settings=settings) as started:
            yield started

    def test_users_of_the_file_log_in(self, broker: BrokerProcess) -> None:
        joe = client(broker, "joe")
        assert joe.publish("anything", "1").state == "OK"
        joe.disconnect()

    @pytest.mark.parametrize(("user", "password"), [("joe", "wrong"), ("nobody", "secret")])
    def test_others_do_not(self, broker: BrokerProcess, user: str, password: str) -> None:
        with pytest.raises(BrokerError) as raised:
            client(broker, user, password)
        assert raised.value.code == Code.USER_ACCESS_DENIED

    def test_methods_and_topics_are_limited(self, broker: BrokerProcess) -> None:
        guest = client(broker, "guest")
        assert guest.publish("tennis", "15:0").state == "OK"
        with pytest.raises(BrokerError) as raised:
            guest.publish("golf", "1")
        assert raised.value.code == Code.USER_NOT_AUTHORIZED
        with pytest.raises(BrokerError):
            guest.erase("tennis")
        guest.disconnect()


def test_anyone_may_log_in_from_this_machine_where_the_file_is_none_and_every_start_warns(tmp_path: Path) -> None:
    settings = {"plugin/socket/port": "0", SECRET_FILE: "NONE"}
    with BrokerProcess(tmp_path / "data", settings=settings) as broker:
        client(broker, "whoever", "whatever").disconnect()
        assert "anyone on this machine may log in" in broker.log()
        broker.restart()
        assert "anyone on this machine may log in" in broker.log()


def test_nobody_may_log_in_at_first(tmp_path: Path) -> None:
    with BrokerProcess(tmp_path / "data") as broker, pytest.raises(BrokerError) as raised:
        client(broker, "admin", "admin")
    assert raised.value.code == Code.USER_ACCESS_DENIED


def test_guessing_is_slowed_down_and_costs_others_nothing(tmp_path: Path) -> None:
    with BrokerProcess(tmp_path / "data", settings={"plugin/socket/port": "0", "login.maxFailures": "2"}) as broker:
        broker.add_accounts("joe")
        joe = client(broker, "joe")
        for _ in range(3):
            with pytest.raises(BrokerError):
                client(broker, "joe", "guess")
        with pytest.raises(BrokerError) as raised:
            client(broker, "joe", "secret")
        assert "try again later" in raised.value.message
        assert joe.ping() == "OK"
        joe.disconnect()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("sesion.timeout", "there is no property sesion.timeout; is session.timeout meant?"),
        (
            "plugin/SOCKET/port",
            r"no plugin has an attribute of the name plugin/SOCKET/port \(is plugin/socket/port meant\?\)",
        ),
    ],
)
def test_unknown_property_of_the_command_line_ends_the_start(tmp_path: Path, name: str, reason: str) -> None:
    with pytest.raises(LaunchError, match=f"status 1(?s:.*){reason}"):
        BrokerProcess(tmp_path / "data", settings={**ANY_PORTS, name: "1000"}).start()


def test_unknown_properties_of_a_file_and_of_the_environment_are_named_once_and_ignored(tmp_path: Path) -> None:
    properties = tmp_path / "broker.properties"
    properties.write_text("sesion.timeout=1000\nplugin/SOCKET/port=1\n")
    unknown = {"BROKER_SESION_TIMEOUT": "1000", "BROKER_PLUGIN_SOCKET_MAXFRAMES": "1"}
    arguments = ["--config", str(properties)]
    with BrokerProcess(tmp_path / "data", arguments=arguments, environment=unknown) as broker:
        for name in ("sesion.timeout", "plugin/SOCKET/port", *unknown):
            assert broker.log().count(name) == 1


def test_the_environment_reaches_an_attribute_that_the_plugin_file_does_not_have(tmp_path: Path) -> None:
    environment = {"BROKER_PLUGIN_SOCKET_MAXFRAME": "much"}
    with pytest.raises(LaunchError, match="plugin SOCKET: maxFrame='much': not a number"):
        BrokerProcess(tmp_path / "data", environment=environment).start()


def test_the_example_with_every_property_set_starts_as_without_it(tmp_path: Path) -> None:
    properties = tmp_path / "broker.properties"
    with contextlib.closing(BrokerProcess(tmp_path / "data")) as broker:
        example = broker.run_command("defaults", "properties").stdout
    properties.write_text(re.sub(r"^#(?! )(?=.*=)", "", example, flags=re.MULTILINE))
    assert properties.read_text().count("\nxmpp.") > 10
    given = BrokerProcess(tmp_path / "data", arguments=["--config", str(properties)])
    with given as broker, BrokerProcess(tmp_path / "bare" / "data") as bare:
        assert set(broker.ports) == set(bare.ports)
        assert re.findall("#(?:warn|error)", broker.log()) == re.findall("#(?:warn|error)", bare.log())
