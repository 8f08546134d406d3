"""Properties of a connection manager."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.config.properties import Properties
from broker.config.sources import from_assignments
from broker.errors import BrokerError
from broker.manager.example import example
from broker.manager.settings import REGISTRY, Address, settings_of
from tests.config.examples import check_defaults
from tests.manager.world import settings

EXAMPLE = Path(__file__).parents[2] / "etc" / "manager.properties"


def test_the_example_file_is_what_the_declarations_say() -> None:
    expected = "run: python -m broker.manager.example > etc/manager.properties"
    assert EXAMPLE.read_text("utf-8") == example(), expected


def test_every_example_is_the_default() -> None:
    check_defaults(EXAMPLE, REGISTRY)


def test_at_first_it_listens_on_this_machine_only() -> None:
    assert settings().interface == "127.0.0.1"


def test_each_port_can_be_left_out() -> None:
    given = settings(xmpp_socket_ssl_active="false")
    assert (given.plain_port, given.tls_port) == (5222, None)
    given = settings(xmpp_socket_default_active="false")
    assert (given.plain_port, given.tls_port) == (None, 5223)


@pytest.mark.parametrize(
    ("given", "servers"),
    [
        ({}, (Address("127.0.0.1", 5262),)),
        ({"xmpp_hostname": "xmpp1", "xmpp_port": "1234"}, (Address("xmpp1", 1234),)),
        ({"xmpp_manager_servers": "one:1, [::1]:2"}, (Address("one", 1), Address("::1", 2))),
        ({"xmpp_manager_servers": "tls://one:1,tls://[::1]:2"}, (Address("one", 1, True), Address("::1", 2, True))),
    ],
)
def test_servers_are_dialled_in_the_order_given(given: dict[str, str], servers: tuple[Address, ...]) -> None:
    assert settings(**given).servers == servers


@pytest.mark.parametrize(
    ("policy", "host", "used"),
    [
        ("auto", "127.0.0.1", "auto"),
        ("auto", "localhost", "auto"),
        ("auto", "::1", "auto"),
        ("auto", "192.0.2.1", "required"),
        ("auto", "xmpp1", "required"),
        ("required", "127.0.0.1", "required"),
        ("optional", "192.0.2.1", "optional"),
    ],
)
def test_links_to_other_machines_need_tls(policy: str, host: str, used: str) -> None:
    assert settings(xmpp_server_tls=policy).link_tls(Address(host, 1)) == used


def test_the_secret_is_the_first_line_of_its_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("sekrit\nnot this\n")
    assert settings(xmpp_manager_secretFile=str(file)).secret == "sekrit"


def test_the_secret_does_not_appear_in_texts() -> None:
    assert "sekrit" not in repr(settings(xmpp_password="sekrit"))


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("xmpp.password", "", "there is no secret"),
        ("xmpp.manager.secretFile", "/nowhere", "No such file"),
        ("xmpp.manager.secretFile", "/dev/null", "its first line is empty"),
        ("xmpp.manager.name", "", "cannot be the name"),
        ("xmpp.manager.name", " ", "cannot be the name"),
        ("xmpp.manager.name", "a/b", "cannot be the name"),
        ("xmpp.manager.name", "x" * 257, "cannot be the name"),
        ("xmpp.manager.servers", "one", "is not host:port"),
        ("xmpp.manager.servers", ":5262", "is not host:port"),
        ("xmpp.manager.servers", "one:0", "is not host:port"),
        ("xmpp.manager.servers", "one:99999", "is not host:port"),
        ("xmpp.manager.servers", "one two:1", "is not host:port"),
        ("xmpp.manager.servers", "http://one:1", "is not host:port"),
        ("xmpp.manager.servers", "tls://:1", "is not host:port"),
        ("xmpp.hostname", "", "is no host"),
        ("xmpp.hostname", "one:5262", "is no host"),
        ("xmpp.manager.otherHost", "one two", "is neither host nor host:port"),
        ("xmpp.manager.otherHost", "one:", "is neither host nor host:port"),
        ("xmpp.manager.otherHost", "one:0", "is neither host nor host:port"),
        ("xmpp.manager.otherHost", "xmpp://one", "is neither host nor host:port"),
        ("xmpp.domain", "", "xmpp.domain"),
        ("xmpp.domain", "joe@localhost", "is an address and no domain"),
        ("xmpp.socket.ssl.port", "5222", "is xmpp.socket.plain.port, too"),
    ],
)
def test_what_cannot_be_used_is_refused_by_its_name(name: str, value: str, reason: str) -> None:
    given = {"xmpp.password": "secret", name: value}
    with pytest.raises(BrokerError, match=reason) as caught:
        settings_of(Properties(from_assignments([f"{key}={text}" for key, text in given.items()])))
    assert name.removesuffix("password") in caught.value.message


@pytest.mark.parametrize(
    "host", ["", "one", "one:5222", "192.0.2.1", "[2001:db8::1]", "[2001:db8::1]:5222", "2001:db8::1"]
)
def test_clients_can_be_sent_to_any_host(host: str) -> None:
    assert settings(xmpp_manager_otherHost=host).other_host == host


def test_there_is_one_port_at_least() -> None:
    with pytest.raises(BrokerError, match=r"xmpp\.socket\.ssl\.active: clients have no port"):
        settings(xmpp_socket_ssl_active="false", xmpp_socket_default_active="false")


def test_any_free_port_may_be_taken_twice() -> None:
    given = settings(xmpp_socket_ssl_port="0", xmpp_socket_plain_port="0")
    assert (given.plain_port, given.tls_port) == (0, 0)


def test_the_file_of_properties_tells_nothing_of_queues() -> None:
    assert "queue" not in EXAMPLE.read_text("utf-8")
