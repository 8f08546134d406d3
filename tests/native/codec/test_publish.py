from __future__ import annotations

from typing import Any

import pytest

from broker.errors import BrokerError, Code
from broker.model.qos import Destination, Overflow, PublishQos, QueueQos, RouteNode, TopicQos
from broker.native.codec import read_publish_qos, write_publish_qos


def read(body: str) -> PublishQos:
    return read_publish_qos(f"<qos>{body}</qos>".encode())


@pytest.mark.parametrize("data", [b"", b"<qos/>", b"<qos></qos>", b"<QOS><isPublish/><unknown a='1'/></QOS>"])
def test_nothing_said_is_all_defaults(data: bytes) -> None:
    assert read_publish_qos(data) == PublishQos()


@pytest.mark.parametrize(
    ("body", "field", "value"),
    [
        ("<priority>7</priority>", "priority", 7),
        ("<priority> max </priority>", "priority", 9),
        ("<priority>LOW</priority>", "priority", 3),
        ("<priority>urgent</priority>", "priority", 5),
        ("<priority>10</priority>", "priority", 5),
        ("<priority/>", "priority", 5),
        ("<subscribable>false</subscribable>", "subscribable", False),
        ("<destination> joe/2 </destination>", "destinations", (Destination("joe/2"),)),
        (
            "<destination queryType='xpath' forceQueuing='true'>//x</destination><destination>b</destination>",
            "destinations",
            (Destination("//x", "XPATH", True), Destination("b")),
        ),
        ("<expiration lifeTime='1200'/>", "life_time", 1200),
        ("<expiration lifeTime='-7'/>", "life_time", -1),
        ("<expiration/>", "life_time", -1),
        ("<expiration lifeTime='5' forceDestroy='true'/>", "force_destroy", True),
        ("<isVolatile/>", "life_time", 0),
        ("<isVolatile>false</isVolatile>", "life_time", -1),
        ("<persistent/>", "persistent", True),
        ("<forceUpdate>false</forceUpdate>", "force_update", False),
        ("<administrative/>", "administrative", True),
        ("<readonly/>", "topic", TopicQos(readonly=True)),
        ("<readonly>false</readonly>", "topic", None),
        ("<readonly/><topic destroyDelay='5'/>", "topic", TopicQos(readonly=True, destroy_delay=5)),
        ("<topic readonly='true'/>", "topic", TopicQos(readonly=True)),
        ("<topic><readonly/></topic>", "topic", TopicQos(readonly=True)),
        ("<topic createDomEntry='false'/>", "topic", TopicQos(create_dom_entry=False)),
        ("<topic><msgDistributor typeVersion='a,1'/></topic>", "topic", TopicQos(distributor="a,1")),
        ("<topic><queue maxEntries='3'/></topic>", "topic", TopicQos(history=QueueQos("history", max_entries=3))),
        (
            "<topic><persistence relating='msgunitstore' type='CACHE' version='1.0' maxEntries='1' maxBytes='2'"
            " maxEntriesCache='3' maxBytesCache='4' onOverflow='DISCARDoldest' onFailure='deadMessage'/></topic>",
            "topic",
            TopicQos(
                store=QueueQos("msgUnitStore", "CACHE", "1.0", 1, 2, 3, 4, Overflow.DISCARD_OLDEST, "deadMessage")
            ),
        ),
        ("<state id='ERASED' info='x'/>", "state", "ERASED"),
        ("<state id='ERASED' info='x'/>", "info", "x"),
        ("<sender> /node/heron/client/joe/1 </sender>", "sender", "/node/heron/client/joe/1"),
        (
            "<route><node id='a' stratum='1' timestamp='9' dirtyRead='true'/><node id='b'/></route>",
            "routes",
            (RouteNode("a", 1, 9, True), RouteNode("b")),
        ),
    ],
)
def test_every_element_is_read(body: str, field: str, value: Any) -> None:
    assert getattr(read(body), field) == value


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ("<expiration lifeTime='soon'/>", "lifeTime of <expiration>: 'soon'"),
        ("<persistent>perhaps</persistent>", "<persistent>: 'perhaps'"),
        ("<topic destroyDelay='1s'/>", "destroyDelay of <topic>: '1s'"),
        ("<topic><queue onOverflow='explode'/></topic>", "onOverflow: 'explode'"),
        ("<route><node/></route>", "<node> needs the attribute id"),
    ],
)
def test_what_cannot_be_read_is_named(body: str, named: str) -> None:
    with pytest.raises(BrokerError) as caught:
        read(body)
    assert caught.value.code is Code.USER_ILLEGAL_ARGUMENT
    assert named in caught.value.message


def test_equal_bytes_give_the_same_value() -> None:
    assert read("<priority>1</priority>") is read("<priority>1</priority>")


def test_defaults_are_not_written() -> None:
    assert write_publish_qos(PublishQos()) == b"<qos><isPublish/></qos>"


@pytest.mark.parametrize(("priority", "name"), [(0, b"MIN"), (1, b"1"), (3, b"LOW"), (7, b"HIGH"), (9, b"MAX")])
def test_priorities_are_written_by_name_where_they_have_one(priority: int, name: bytes) -> None:
    assert b"<priority>" + name + b"</priority>" in write_publish_qos(PublishQos(priority))


def test_elements_are_written_in_the_order_of_the_existing_servers() -> None:
    qos = PublishQos(
        subscribable=False,
        destinations=(Destination("joe", force_queuing=True),),
        life_time=0,
        persistent=True,
        force_update=False,
        administrative=True,
        topic=TopicQos(destroy_delay=1000),
        state="ERASED",
        sender="s",
        routes=(RouteNode("n"),),
    )
    assert write_publish_qos(qos) == (
        b"<qos><state id='ERASED'/><subscribable>false</subscribable><destination forceQueuing='true'>joe</destination>"
        b"<sender>s</sender><expiration lifeTime='0' forceDestroy='false'/><administrative/><persistent/>"
        b"<forceUpdate>false</forceUpdate><route><node id='n' stratum='0' timestamp='0' dirtyRead='false'/></route>"
        b"<isPublish/><topic destroyDelay='1000'></topic></qos>"
    )
