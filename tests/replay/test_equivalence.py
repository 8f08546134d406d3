from __future__ import annotations

import pytest

from tests.replay.equivalence import differences, normalized


@pytest.mark.parametrize(
    ("recorded", "ours"),
    [
        (b"\n <qos>\n  <isPublish/>\n </qos>", b"<qos><isPublish/></qos>"),
        (b"<qos><a/><b/></qos>", b"<qos><b></b><a/></qos>"),
        (b"<key oid='A' domain='x'/>", b'<key domain="x" oid="A"/>'),
        (b"<priority>\n  MAX\n</priority>", b"<priority>MAX</priority>"),
        (b"<a><![CDATA[<b>]]></a>", b"<a>&lt;b&gt;</a>"),
        (b"", b"<qos/>"),
        (b"<qos/>", b""),
        (b"", b""),
        (b"user.illegalArgument", b"user.illegalArgument"),
    ],
)
def test_documents_that_say_the_same_have_no_differences(recorded: bytes, ours: bytes) -> None:
    assert differences(recorded, ours) == []


@pytest.mark.parametrize(
    ("recorded", "ours", "found"),
    [
        (b"<qos><a/></qos>", b"<qos/>", "qos/a: recorded only"),
        (b"<qos/>", b"<qos><a/></qos>", "qos/a: ours only"),
        (b"<qos/>", b"<key/>", "<qos> recorded, <key> ours"),
        (b"<key oid='A'/>", b"<key oid='B'/>", "key/@oid: 'A' recorded, 'B' ours"),
        (b"<key oid='A'/>", b"<key/>", "key/@oid: recorded only"),
        (b"<key/>", b"<key oid='A'/>", "key/@oid: ours only"),
        (b"<p>5</p>", b"<p>9</p>", "p: '5' recorded, '9' ours"),
        (b"<q><a>1</a><a>2</a></q>", b"<q><a>1</a></q>", "q/a[2]: recorded only"),
        (b"", b"<qos><a/></qos>", "qos/a: ours only"),
        (b"user.illegalArgument", b"user.query", "b'user.illegalArgument' recorded, b'user.query' ours"),
    ],
)
def test_a_difference_is_named_with_its_place(recorded: bytes, ours: bytes, found: str) -> None:
    assert differences(recorded, ours) == [found]


def test_ours_has_to_be_xml() -> None:
    assert differences(b"<qos/>", b"<qos>")[0].startswith("ours is no XML")


def test_the_order_of_elements_of_one_name_counts() -> None:
    assert differences(b"<q><a>1</a><a>2</a></q>", b"<q><a>2</a><a>1</a></q>") == [
        "q/a: '1' recorded, '2' ours",
        "q/a[2]: '2' recorded, '1' ours",
    ]


def test_client_properties_are_told_apart_by_their_names() -> None:
    one, two = b"<clientProperty name='a'>1</clientProperty>", b"<clientProperty name='b'>2</clientProperty>"

    assert differences(b"<qos>" + one + two + b"</qos>", b"<qos>" + two + one + b"</qos>") == []
    assert differences(b"<qos>" + one + two + b"</qos>", b"<qos>" + two + b"</qos>") == [
        "qos/clientProperty[@name='a']: recorded only"
    ]


def test_queues_are_told_apart_by_what_they_relate_to() -> None:
    assert differences(
        b"<qos><queue relating='subject'/><queue relating='callback' maxEntries='5'/></qos>",
        b"<qos><queue relating='callback' maxEntries='6'/><queue relating='subject'/></qos>",
    ) == ["qos/queue[@relating='callback']/@maxEntries: '5' recorded, '6' ours"]


@pytest.mark.parametrize(
    ("recorded", "ours"),
    [
        (b"<session sessionId='sessionId:127.0.0.1-null-1-2'/>", b"<session sessionId='f00d'/>"),
        (b"<qos><callback sessionId='a'/></qos>", b"<qos><callback sessionId='b'/></qos>"),
        (b"<session name='/node/heron/client/joe/-2'/>", b"<session name='/node/ours/client/joe/-31'/>"),
        (b"<subscribe id='__subId:1795217454683000000'/>", b"<subscribe id='__subId:1895217454683000000'/>"),
        (b"<subscribe id='__subId:XPATH1795217454683000000'/>", b"<subscribe id='__subId:1895217454683000000'/>"),
        (b"<rcvTimestamp nanos='1795217454778000000'/>", b"<rcvTimestamp nanos='1895217454778000001'/>"),
        (
            b"<route><node id='heron' timestamp='1795217454778000000'/></route>",
            b"<route><node id='ours' timestamp='1895217454778000000'/></route>",
        ),
        (
            b"<instanceId>/xmlBlaster/node/heron/instanceId/1795217447784</instanceId>",
            b"<instanceId>/xmlBlaster/node/ours/instanceId/1895217447784</instanceId>",
        ),
        (
            b"<p name='__rcvTimestampStr'>2026-11-20 23:32:42.53Z</p>",
            b"<p name='__rcvTimestampStr'>2027-01-02 03:04:05Z</p>",
        ),
        (b"<callback>socket://127.0.0.1:42500</callback>", b"<callback>socket://127.0.0.1:7607</callback>"),
        (b"<address bootstrapPort='13412'/>", b"<address bootstrapPort='3412'/>"),
        (b"<key oid='heron-1795217468718000000'/>", b"<key oid='ours-1895217468718000000'/>"),
    ],
)
def test_ids_times_and_ports_may_differ(recorded: bytes, ours: bytes) -> None:
    assert differences(recorded, ours) == []


@pytest.mark.parametrize(
    ("recorded", "ours"),
    [
        (b"<subscribe id='__subId:PtP'/>", b"<subscribe id='__subId:1795217454683000000'/>"),
        (b"<session name='/node/heron/client/joe/1'/>", b"<session name='/node/heron/client/joe/-1'/>"),
        (b"<session name='/node/heron/client/joe/1'/>", b"<session name='/node/heron/client/joe/2'/>"),
        (b"<session name='/node/heron/client/joe/-1'/>", b"<session name='/node/heron/client/jim/-1'/>"),
        (b"<session name='/node/heron/client/joe/1'/>", b"<session name='client/joe/1'/>"),
        (b"<session timeout='86400000'/>", b"<session timeout='3600000'/>"),
        (b"<queue index='0' size='1'/>", b"<queue index='1' size='1'/>"),
        (b"<callback>socket://127.0.0.1:42500</callback>", b"<callback>socket://10.0.0.1:42500</callback>"),
    ],
)
def test_everything_else_may_not(recorded: bytes, ours: bytes) -> None:
    assert len(differences(recorded, ours)) == 1


def test_ids_are_replaced_within_texts_too() -> None:
    text = "session /node/heron/client/joe/-5 at 2026-11-20 23:32:42.53Z\n has __subId:1795217454683000000"

    assert normalized(text) == "session /node/{node}/client/joe/-{number} at {time} has __subId:{id}"
