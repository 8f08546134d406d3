"""The QoS of connect with its credentials, addresses and queues; and the callback server that it may name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from broker.model.address import parse_session_name
from broker.model.connect import ConnectQos
from broker.native.callback import CallbackDialer, _read_address
from broker.native.callback_hosts import CallbackHosts
from broker.native.codec import read_connect_qos, write_connect_qos
from broker.native.limits import NativeLimits
from broker.store.limits import MAX_INTEGER
from tests.fuzz.support import require, tried

NOTHING: Any = None
DIALER = CallbackDialer(NOTHING, NOTHING, NativeLimits(), NOTHING, CallbackHosts(["*", "a"]))
TOKENS = (
    b"<qos>",
    b"</qos>",
    b"<securityService type='htpasswd' version='1.0'><![CDATA[<user>joe</user><passwd>secret</passwd>]]>",
    b"</securityService>",
    b"<securityService type='htpasswd'><user>joe</user><passwd>__base64:c2VjcmV0</passwd></securityService>",
    b"<session name='joe/1' timeout='1' maxSessions='2' clearSessions='true' sessionId='s'/>",
    b"<queue relating='callback' maxEntries='1' onOverflow='deadMessage'>",
    b"</queue>",
    b"<callback type='SOCKET' retries='-1' delay='1' pingInterval='0' oneway='true'>socket://a:1",
    b"</callback>",
    b"<address type='SOCKET' bootstrapHostname='h' bootstrapPort='1'>",
    b"</address>",
    b"<burstMode maxEntries='1' maxBytes='2' collectTime='3'/>",
    b"<compress type='zlib:stream' minSize='1'/>",
    b"<attribute name='callbackServer'>true</attribute>",
    b"<serverRef type='SOCKET'>a</serverRef>",
    b"<persistent/>",
    b"<clientProperty name='a'>b</clientProperty>",
    b"/node/heron/client/joe/session/1",
    b"99999999999999999999",
)


def target(data: bytes) -> None:
    """The bytes of a connect QoS."""
    qos = tried(read_connect_qos, data)
    if qos is None:
        return
    again = tried(read_connect_qos, write_connect_qos(qos, redact=False))
    require(again == qos, f"{qos} becomes {again}")
    redacted = write_connect_qos(qos, redact=True)
    secret = qos.credentials.password if qos.credentials is not None else ""
    if len(secret) > 8 and qos.credentials is not None:
        others = write_connect_qos(replace(qos, credentials=replace(qos.credentials, password="")), redact=True)
        require(redacted == others, "the password shows")
    name = tried(parse_session_name, qos.session.name, "heron")
    if name is not None:
        require(abs(name.public_id) <= MAX_INTEGER, f"{name.public_id} is no number of a session")
        require(tried(parse_session_name, name.absolute, "") == name or "/" in name.subject, "another name")
    if tried(DIALER.prepare, qos, "127.0.0.1") is not None:
        require(dialled(qos), "an address is accepted that no resolver can be asked for")


def dialled(qos: ConnectQos) -> bool:
    """Whether what was accepted as an address can be handed to the resolver."""
    assert qos.callback is not None
    host, _ = _read_address(qos.callback)
    return bool(host.encode("idna"))
