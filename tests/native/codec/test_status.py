from __future__ import annotations

import pytest

from broker.model.property import ClientProperty
from broker.model.qos import Method, StatusQos
from broker.native.codec import read_status_qos, write_status_qos


def test_a_bare_ok_is_spelled_out() -> None:
    assert write_status_qos(StatusQos()) == b"<qos><state id='OK'/></qos>"


@pytest.mark.parametrize("data", [b"", b"<qos/>", b"<qos><state/></qos>", b"<qos><state id='OK'/></qos>"])
def test_no_state_is_ok(data: bytes) -> None:
    assert read_status_qos(data) == StatusQos()


def test_the_answer_to_a_publish() -> None:
    status = StatusQos(oid="Hello", received=1795217454778000000, method=Method.PUBLISH)
    written = b"<qos><key oid='Hello'/><rcvTimestamp nanos='1795217454778000000'/><isPublish/></qos>"
    assert write_status_qos(status) == written
    assert read_status_qos(written) == status


def test_the_answer_to_a_subscribe_that_was_there_already() -> None:
    status = StatusQos(
        "WARNING", "again", "__subId:1", method=Method.SUBSCRIBE, properties=(ClientProperty("_bounce:a", "1"),)
    )
    written = (
        b"<qos><state id='WARNING' info='again'/><subscribe id='__subId:1'/><isSubscribe/>"
        b"<clientProperty name='_bounce:a'>1</clientProperty></qos>"
    )
    assert write_status_qos(status) == written
    assert read_status_qos(written) == status


@pytest.mark.parametrize("method", Method)
def test_the_marker_names_the_method(method: Method) -> None:
    assert read_status_qos(write_status_qos(StatusQos(method=method))).method is method
