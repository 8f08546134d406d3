from __future__ import annotations

from hypothesis import given

from broker.model.property import ClientProperty
from broker.model.qos import PublishQos, RouteNode, TopicQos, UpdateQos
from broker.native.codec import UpdateTemplate, read_update_qos, subscription_element, write_get_qos, write_update_qos
from tests.native.codec.strategies import updates

SENDER = "/node/heron/client/joe/-2"
ROUTE = (RouteNode("heron", 0, 7), RouteNode("avalon", 1, 8))


def test_an_update_says_who_what_and_when() -> None:
    update = UpdateQos(PublishQos(sender=SENDER), "__subId:1", 1795217454778000000, queue_size=1)
    assert write_update_qos(update) == (
        b"<qos><sender>/node/heron/client/joe/-2</sender><subscribe id='__subId:1'/>"
        b"<rcvTimestamp nanos='1795217454778000000'/><queue index='0' size='1'/><isPublish/></qos>"
    )


def test_an_expiring_update_that_is_repeated() -> None:
    publish = PublishQos(priority=7, life_time=2000, persistent=True, properties=(ClientProperty("p", "100%d"),))
    update = UpdateQos(publish, "__subId:PtP", 5, remaining_life=1200, queue_index=1, queue_size=3, redeliver=4)
    assert write_update_qos(update) == (
        b"<qos><priority>HIGH</priority><subscribe id='__subId:PtP'/>"
        b"<expiration lifeTime='2000' remainingLife='1200' forceDestroy='false'/><rcvTimestamp nanos='5'/>"
        b"<queue index='1' size='3'/><persistent/><redeliver>4</redeliver><isPublish/>"
        b"<clientProperty name='p'>100%d</clientProperty></qos>"
    )


def test_receivers_are_not_told_the_topics_configuration_nor_a_route_of_one_node() -> None:
    update = UpdateQos(PublishQos(topic=TopicQos(readonly=True), routes=ROUTE[:1]), "__subId:1", 5, queue_size=1)
    assert write_update_qos(update) == write_update_qos(UpdateQos(PublishQos(), "__subId:1", 5, queue_size=1))


def test_receivers_are_told_a_longer_route() -> None:
    assert read_update_qos(write_update_qos(UpdateQos(PublishQos(routes=ROUTE)))).publish.routes == ROUTE


def test_an_answer_to_get_has_a_route_and_neither_subscription_nor_queue() -> None:
    update = UpdateQos(PublishQos(sender=SENDER, routes=ROUTE[:1]), received=7)
    assert write_get_qos(update) == (
        b"<qos><sender>/node/heron/client/joe/-2</sender><rcvTimestamp nanos='7'/>"
        b"<route><node id='heron' stratum='0' timestamp='7' dirtyRead='false'/></route><isPublish/></qos>"
    )


@given(updates)
def test_a_template_renders_what_is_written_for_each_receiver(update: UpdateQos) -> None:
    rendered = UpdateTemplate(update.publish).render(
        subscription_element(update.subscription_id),
        update.received,
        update.queue_index,
        update.queue_size,
        update.redeliver,
        update.remaining_life if update.remaining_life >= 0 else None,
    )
    assert rendered == write_update_qos(update)


def test_the_frequent_case_and_the_general_one_are_written_alike() -> None:
    template = UpdateTemplate(PublishQos(sender="50%", info="%b", persistent=True, life_time=0))
    frequent = template.render(b"<subscribe id='%'/>", 5, 0, 1, 0, None)
    general = template.render(b"<subscribe id='%'/>", 5, 0, 1, 1, None)
    assert general == frequent.replace(b"<persistent/>", b"<persistent/><redeliver>1</redeliver>")


def test_no_subscription_is_no_element() -> None:
    assert subscription_element("") == b""
    assert subscription_element("__subId:a'b") == b"<subscribe id='__subId:a&apos;b'/>"


def test_an_empty_qos_is_all_defaults() -> None:
    assert read_update_qos(b"<qos/>") == UpdateQos(PublishQos())
