"""Requests for plugins that the broker does not have are refused (spec xmlblaster §11.1, §12.3)."""

from __future__ import annotations

import pytest

from broker.errors import BrokerError, Code
from broker.model.qos import QueueQos
from tests.core.world import World

CONSUMABLE = "<qos><topic><msgDistributor typeVersion='ConsumableQueue,1.0'/></topic>{}</qos>"


def plugin_failed(raised: pytest.ExceptionInfo[BrokerError]) -> bool:
    return raised.value.code == Code.RESOURCE_CONFIGURATION_PLUGIN_FAILED


class TestMessageDistributor:
    @pytest.mark.parametrize("more", ["", "<persistent/>", "<administrative/>", "<destination>joe</destination>"])
    def test_that_is_not_there_is_refused(self, more: str) -> None:
        world = World()
        client = world.client("joe")
        with pytest.raises(BrokerError, match=r"no message distributor 'ConsumableQueue,1\.0'") as raised:
            client.publish("q", b"x", CONSUMABLE.format(more))
        assert plugin_failed(raised)
        assert not world.node.topics

    def test_of_later_publishes_is_refused_too(self) -> None:
        client = World().client("joe")
        client.publish("q", b"first")
        with pytest.raises(BrokerError) as raised:
            client.publish("q", b"second", CONSUMABLE.format(""))
        assert plugin_failed(raised)

    @pytest.mark.parametrize("name", ["", "undef", "undef,1.0"])
    def test_may_be_named_as_the_default(self, name: str) -> None:
        client = World().client("joe")
        client.publish("q", b"x", f"<qos><topic><msgDistributor typeVersion='{name}'/></topic></qos>")
        assert client.get("q") == [b"x"]


class TestCallback:
    @pytest.mark.parametrize("queue", ["", "maxEntries='1'"])
    def test_that_asks_for_what_is_not_there_is_refused(self, queue: str) -> None:
        world = World()
        limits = QueueQos("callback", max_entries=1) if queue else None
        with pytest.raises(BrokerError) as raised:
            world.connect("joe/1", address={"dispatch_plugin": "Priority,1.0"}, queue=limits)
        assert plugin_failed(raised)
        assert not world.node.subjects

    def test_of_a_reconnect_that_is_refused_leaves_the_session_as_it_was(self) -> None:
        world = World()
        client = world.client("joe/1", retries=-1)
        with pytest.raises(BrokerError) as raised:
            world.connect("joe/1", address={"dispatch_plugin": "Priority,1.0"})
        assert plugin_failed(raised)
        assert not client.outbound.closed
        assert client.session.qos.callback is not None
        assert client.session.qos.callback.dispatch_plugin is None

    @pytest.mark.parametrize(
        "address", [{"dispatch_plugin": "undef"}, {"dispatch_plugin": "undef,1.0"}, {"type": "socket"}]
    )
    def test_with_the_defaults_of_existing_clients_is_served(self, address: dict[str, str]) -> None:
        assert World().connect("joe/1", address=address).session.can_receive

    def test_plugin_for_the_requests_of_a_client_is_its_own_affair(self) -> None:
        world = World()
        assert world.connect("joe/1", queue=QueueQos("connection"), address={"dispatch_plugin": "Priority,1.0"})
