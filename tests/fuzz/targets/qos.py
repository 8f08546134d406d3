"""Every QoS but that of connect: what is read is written and read alike; the parser agrees with another one.

Of an update what says nothing is not written, so only what is written must be read alike.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from broker.native.codec import (
    read_disconnect_qos,
    read_publish_qos,
    read_query_qos,
    read_status_qos,
    read_update_qos,
    write_disconnect_qos,
    write_get_qos,
    write_publish_qos,
    write_query_qos,
    write_status_qos,
)
from broker.xml.parse import parse
from tests.fuzz.support import require, tried
from tests.fuzz.trees import matches_reference

WAYS: tuple[tuple[Callable[[bytes], Any], Callable[[Any], bytes]], ...] = (
    (read_publish_qos, write_publish_qos),
    (read_query_qos, write_query_qos),
    (read_disconnect_qos, write_disconnect_qos),
    (read_status_qos, write_status_qos),
    (read_update_qos, write_get_qos),
)
TOKENS = (
    b"<qos>",
    b"</qos>",
    b"<state id='OK' info='i'/>",
    b"<priority>MAX</priority>",
    b"<expiration lifeTime='1' remainingLife='2' forceDestroy='true'/>",
    b"<topic readonly='true' destroyDelay='0'><persistence/><queue relating='history' maxEntries='1'/></topic>",
    b"<msgDistributor typeVersion='a,1.0'/>",
    b"<destination queryType='EXACT' forceQueuing='true'>joe</destination>",
    b"<route><node id='n' stratum='1' timestamp='2' dirtyRead='false'/></route>",
    b"<clientProperty name='a' type='int' encoding='base64' charset='UTF-8'>MQ==</clientProperty>",
    b"<subscribable>false</subscribable>",
    b"<persistent/>",
    b"<isVolatile/>",
    b"<history numEntries='3' newestFirst='false'/>",
    b"<querySpec type='QueueQuery'>maxEntries=1</querySpec>",
    b"<filter type='size'>1</filter>",
    b"<subscribe id='1'/>",
    b"<key oid='k'/>",
    b"<rcvTimestamp nanos='1'/>",
    b"<queue index='0' size='1'/>",
    b"<redeliver>1</redeliver>",
    b"<erase forceDestroy='true'/>",
    b"<multiSubscribe>false</multiSubscribe>",
    b"9223372036854775807",
    b"-9223372036854775808",
    b"<![CDATA[",
    b"]]>",
    b"&#13;",
)


def target(data: bytes) -> None:
    """The bytes of a QoS."""
    root = tried(parse, data, "qos")
    if root is not None:
        matches_reference(data, root)
    for read, write in WAYS:
        value = tried(read, data)
        if value is not None:
            written = write(value)
            again = tried(read, written)
            same = again == value or (read is read_update_qos and again is not None and write(again) == written)
            require(same, f"{read.__name__}: {value} becomes {again}")
