"""Properties that clients let the broker keep for them (spec xmlblaster §8.7)."""

from __future__ import annotations

import pytest

from broker.admin.remote_properties import MAX_BYTES, MAX_PROPERTIES, MERGE, change
from broker.core.administration import Told
from broker.errors import BrokerError, Code
from broker.model.property import property_of
from tests.admin.office import BOSS, Office
from tests.core.world import Client

TOPIC = "__sys__remoteProperties"


def properties(**values: str) -> str:
    """Client properties as XML."""
    return "".join(f"<clientProperty name='{name}'>{value}</clientProperty>" for name, value in values.items())


def send(office: Office, client: Client, content: bytes, inner: str = "") -> str:
    """Publish a command; returns whose properties changed."""
    info: str = office.set(client, TOPIC, content, f"<qos>{inner}</qos>").info
    return info


def told(office: Office, client: Client, inner: str = "") -> dict[str, str]:
    """What ``get`` tells."""
    answer = office.world.run(office.ask(client, TOPIC, f"<qos>{inner}</qos>"))
    assert isinstance(answer, Told)
    assert (answer.oid, answer.content) == (TOPIC, b"")
    return {each.name: each.text for each in answer.properties}


@pytest.mark.parametrize("content", [b"", b"merge", b" merge\n"])
def test_new_ones_are_added(content: bytes) -> None:
    office = Office()
    joe = office.client("joe/1")
    assert send(office, joe, content, properties(a="1", b="1")) == "/node/heron/client/joe/1"
    send(office, joe, content, properties(b="2", c="2"))
    assert told(office, joe) == {"a": "1", "b": "2", "c": "2"}


def test_all_are_replaced() -> None:
    office = Office()
    joe = office.client("joe/1")
    send(office, joe, b"set", properties(a="1", b="1"))
    send(office, joe, b"set", properties(b="2"))
    assert told(office, joe) == {"b": "2"}


def test_all_are_cleared() -> None:
    office = Office()
    joe = office.client("joe/1")
    send(office, joe, b"set", properties(a="1"))
    send(office, joe, b"clear")
    assert told(office, joe) == {}


@pytest.mark.parametrize(("action", "left"), [(b"clear", {"user": "1"}), (b"set", {"user": "1", "os.x": "2"})])
def test_prefix_limits_what_goes(action: bytes, left: dict[str, str]) -> None:
    office = Office()
    joe = office.client("joe/1")
    send(office, joe, b"set", properties(**{"os.name": "1", "os.version": "1", "user": "1"}))
    added = properties(**{"os.x": "2"}) if action == b"set" else ""
    send(office, joe, action, properties(__prefix="os.") + added)
    assert told(office, joe) == left


def test_another_of_ones_own_sessions_is_named_by_property_or_destination() -> None:
    office = Office()
    joe = office.client("joe/1")
    desk = office.client("joe/2")
    send(office, joe, b"", properties(__sessionName="client/joe/2", a="1"))
    send(office, joe, b"", "<destination>joe/2</destination>" + properties(b="1"))
    assert told(office, desk) == {"a": "1", "b": "1"}
    assert told(office, joe, properties(__sessionName="joe/2")) == {"a": "1", "b": "1"}
    assert told(office, joe) == {}


def test_sessions_of_others_are_for_administrators() -> None:
    office = Office(BOSS)
    boss, joe, jack = office.client("boss"), office.client("joe/1"), office.client("jack")
    send(office, boss, b"", properties(__sessionName="joe/1", a="1"))
    assert told(office, joe) == told(office, boss, properties(__sessionName="joe/1")) == {"a": "1"}
    for name in ("joe/1", "nobody/1"):
        with pytest.raises(BrokerError) as raised:
            send(office, jack, b"clear", properties(__sessionName=name))
        assert raised.value.code == Code.USER_NOT_AUTHORIZED
        with pytest.raises(BrokerError) as raised:
            told(office, jack, properties(__sessionName=name))
        assert raised.value.code == Code.USER_NOT_AUTHORIZED


def test_unknown_session_is_refused() -> None:
    office = Office()
    with pytest.raises(BrokerError) as raised:
        send(office, office.client("joe/1"), b"", properties(__sessionName="joe/9"))
    assert raised.value.code == Code.USER_ILLEGAL_ARGUMENT


def test_unknown_action_is_refused() -> None:
    office = Office()
    joe = office.client("joe/1")
    with pytest.raises(BrokerError) as raised:
        send(office, joe, b"forget", properties(a="1"))
    assert raised.value.code == Code.USER_ILLEGAL_ARGUMENT
    assert told(office, joe) == {}


def test_there_are_only_so_many() -> None:
    office = Office()
    joe = office.client("joe/1")
    send(office, joe, b"", properties(first="1"))
    for added in (
        [property_of(f"n{number}", "") for number in range(MAX_PROPERTIES)],
        [property_of("long", "x" * MAX_BYTES)],
    ):
        with pytest.raises(BrokerError) as raised:
            change(joe.session, MERGE, added)
        assert raised.value.code == Code.RESOURCE_EXHAUST
    assert told(office, joe) == {"first": "1"}


def test_those_of_the_login_are_there_after_a_crash() -> None:
    office = Office()
    given = (property_of("__remoteProperties", True), property_of("os", "Linux"))
    office.client("joe/1", persistent=True, properties=given)
    world = office.world.crash()
    (session,) = world.node.sessions.values()
    assert session.remote_properties["os"].text == "Linux"


def test_they_are_served_where_commands_are_switched_off() -> None:
    office = Office({"admin.messages": "false"})
    joe = office.client("joe/1")
    send(office, joe, b"", properties(a="1"))
    assert told(office, joe) == {"a": "1"}
