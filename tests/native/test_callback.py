"""Callback servers that a client may name, before they are dialled (spec xmlblaster §4.1)."""

from __future__ import annotations

from typing import Any

import pytest

from broker.errors import BrokerError, Code
from broker.native.callback import CallbackDialer
from broker.native.callback_hosts import CallbackHosts
from broker.native.codec import read_connect_qos
from broker.native.limits import NativeLimits

NOTHING: Any = None
NAMED = CallbackHosts(["example.com", "127.0.0.1", "::1", "bücher.example"])
ANYWHERE = CallbackDialer(NOTHING, NOTHING, NativeLimits(), NOTHING, NAMED)


def prepared(address: str) -> object:
    qos = (
        "<qos><queue relating='callback'><callback type='SOCKET'>"
        f"{address}<attribute name='callbackServer'>true</attribute></callback></queue></qos>"
    )
    return ANYWHERE.prepare(read_connect_qos(qos.encode()), "127.0.0.1")


@pytest.mark.parametrize(
    "address", ["socket://example.com:7", "127.0.0.1:7", "socket://[::1]:7/", "b\u00fccher.example:7"]
)
def test_an_address_that_can_be_dialled_is_taken(address: str) -> None:
    assert prepared(address) is not None


@pytest.mark.parametrize(
    "address", ["", "example.com", "example.com:0", "example.com:65536", "a..b:7", f"{'x' * 64}.example:7"]
)
def test_one_that_cannot_is_refused_at_the_login(address: str) -> None:
    # and not when the first update is due, where nobody would be told
    with pytest.raises(BrokerError) as caught:
        prepared(address)
    assert caught.value.code is Code.RESOURCE_CONFIGURATION_ADDRESS


@pytest.mark.parametrize("type", ["XMLRPC", "email", "CORBA"])
def test_an_address_of_another_protocol_is_refused(type: str) -> None:
    qos = read_connect_qos(f"<qos><queue relating='callback'><callback type='{type}'/></queue></qos>".encode())
    with pytest.raises(BrokerError, match="updates are sent as SOCKET only") as caught:
        ANYWHERE.prepare(qos, "127.0.0.1")
    assert caught.value.code is Code.RESOURCE_CONFIGURATION_PLUGIN_FAILED


@pytest.mark.parametrize("type", ["SOCKET", "socket", "SOCKET_SSL"])
def test_variants_of_its_own_are_taken(type: str) -> None:
    qos = read_connect_qos(f"<qos><queue relating='callback'><callback type='{type}'/></queue></qos>".encode())
    assert ANYWHERE.prepare(qos, "127.0.0.1") is None
