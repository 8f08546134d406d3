from __future__ import annotations

from typing import Any

import pytest

from broker.errors import BrokerError, Code
from broker.model.connect import AddressQos, ConnectQos, Credentials, SessionQos
from broker.model.property import ClientProperty
from broker.model.qos import Overflow, QueueQos
from broker.native.codec import read_connect_qos, write_connect_qos

SECURITY = "<securityService type='htpasswd' version='1.0'>{}</securityService>"
JOE = Credentials("htpasswd", "joe", "secret")


def read(body: str) -> ConnectQos:
    return read_connect_qos(f"<qos>{body}</qos>".encode())


@pytest.mark.parametrize("data", [b"", b"<qos/>", b"<qos><session/></qos>"])
def test_nothing_said_is_all_defaults(data: bytes) -> None:
    assert read_connect_qos(data) == ConnectQos()


@pytest.mark.parametrize(
    "inner",
    [
        "<![CDATA[\n <user>joe</user>\n <passwd>secret</passwd> ]]>",
        "<user> joe </user><passwd>secret</passwd>",
        "&lt;user>joe&lt;/user>&lt;passwd>secret&lt;/passwd>",
        "<![CDATA[<USER>joe</USER><Passwd>__base64:c2VjcmV0</Passwd>]]>",
        "<user>joe</user><passwd> __base64:c2VjcmV0 </passwd>",
    ],
)
def test_credentials_are_read_from_cdata_and_from_plain_children(inner: str) -> None:
    assert read(SECURITY.format(inner)).credentials == JOE


def test_a_password_is_kept_as_it_is() -> None:
    credentials = read(SECURITY.format("<user>joe</user><passwd> a b </passwd>")).credentials
    assert credentials is not None
    assert credentials.password == " a b "


@pytest.mark.parametrize(
    "inner",
    ["<![CDATA[<user>joe</user]]>", "<![CDATA[joe & secret]]>", "<user>joe</user><passwd>__base64:hunter2!</passwd>"],
)
def test_broken_credentials_are_refused_without_being_repeated(inner: str) -> None:
    with pytest.raises(BrokerError) as caught:
        read(SECURITY.format(inner))
    assert caught.value.code is Code.USER_AUTHENTICATION_ILLEGAL_ARGUMENT
    assert not {"joe", "secret", "hunter2"} & set(caught.value.message.replace("'", " ").split())


@pytest.mark.parametrize(
    ("body", "field", "value"),
    [
        ("<ptp>false</ptp>", "ptp", False),
        ("<clusterNode>true</clusterNode>", "cluster_node", True),
        ("<refreshSession>true</refreshSession>", "refresh_session", True),
        ("<duplicateUpdates>false</duplicateUpdates>", "duplicate_updates", False),
        ("<reconnected/>", "reconnected", True),
        ("<instanceId> /i/1 </instanceId>", "instance_id", "/i/1"),
        ("<persistent/>", "persistent", True),
        (
            "<session name='joe/3' timeout='5' maxSessions='1' clearSessions='true' reconnectSameClientOnly='false'"
            " sessionId='s'/>",
            "session",
            SessionQos("joe/3", 5, 1, True, False, "s"),
        ),
        ("<serverRef type='IOR'> IOR:1 </serverRef>", "server_refs", (("IOR", "IOR:1"),)),
        ("<queue/>", "queues", ((QueueQos("callback"), ()),)),
        ("<queue relating='subject' maxEntries='1'/>", "queues", ((QueueQos("subject", max_entries=1), ()),)),
        (
            "<queue relating='Callback' onOverflow='block'><callback> a </callback><callback>b</callback></queue>",
            "queues",
            ((QueueQos("callback", on_overflow=Overflow.BLOCK), (AddressQos(raw="a"), AddressQos(raw="b"))),),
        ),
        ("<callback>a</callback>", "queues", ((QueueQos("callback"), (AddressQos(raw="a"),)),)),
        ("<address>a</address>", "queues", ((QueueQos("connection"), (AddressQos(raw="a"),)),)),
        (
            "<callback>a</callback><queue relating='callback' maxEntries='7'/>",
            "queues",
            ((QueueQos("callback", max_entries=7), (AddressQos(raw="a"),)),),
        ),
    ],
)
def test_every_element_is_read(body: str, field: str, value: Any) -> None:
    assert getattr(read(body), field) == value


def test_an_address_with_everything() -> None:
    qos = read(
        "<callback type='XMLRPC' version='1.0' bootstrapHostname='h' bootstrapPort='1' sessionId='cb' pingInterval='2'"
        " retries='-1' delay='3' oneway='true' dispatcherActive='false' useForSubjectQueue='false'"
        " dispatchPlugin='Priority,1.0' stallOnPingTimeout='true'> http://h:1/ "
        "<burstMode collectTime='4' maxEntries='-1' maxBytes='5'/><compress type='zlib' minSize='6'/><ptp>false</ptp>"
        "<attribute name='updateResponseTimeout' type='long'>7</attribute></callback>"
    )
    assert qos.callback == AddressQos(
        "XMLRPC", "http://h:1/", "1.0", "h", 1, "cb", 2, -1, 3, True, False, False, "Priority,1.0", True, -1, 5, 4,
        "zlib", 6, False, (ClientProperty("updateResponseTimeout", "7", "long"),),
    )  # fmt: skip


def test_old_names_of_host_and_port_are_accepted() -> None:
    address = read("<callback hostname='h' port='1'/>").callback
    assert address is not None
    assert (address.bootstrap_host, address.bootstrap_port) == ("h", 1)


def test_an_answer_holds_no_password() -> None:
    written = write_connect_qos(ConnectQos(JOE), redact=True)
    assert b"secret" not in written
    fields = b"<![CDATA[<user>joe</user><passwd></passwd>]]>"
    assert b'<securityService type="htpasswd" version="1.0">' + fields + b"</securityService>" in written


@pytest.mark.parametrize("password", ["a&b", "<", " a ", "__base64:x", "]]>", "'"])
def test_a_password_that_escaping_could_change_is_marked_as_base64(password: str) -> None:
    written = write_connect_qos(ConnectQos(Credentials("htpasswd", "joe", password)), redact=False)
    assert b"<passwd>__base64:" in written


def test_clients_find_the_secret_session_id_first_and_in_single_quotes() -> None:
    callback = AddressQos(session_id="callback's own")
    session = SessionQos("/node/heron/client/a/1", 86400000, 10, False, False, "sessionId:the-secret")
    qos = ConnectQos(
        Credentials("sessionId='1'", "sessionId='2'"),
        session,
        instance_id="sessionId='3'",
        queues=((QueueQos("callback"), (callback,)),),
        properties=(ClientProperty("a", "sessionId='4'"),),
    )
    written = write_connect_qos(qos, redact=True)
    assert written.partition(b"sessionId='")[2].startswith(b"sessionId:the-secret'")


def test_an_answer_is_written_in_the_order_of_the_existing_servers() -> None:
    qos = ConnectQos(
        instance_id="i",
        persistent=True,
        reconnected=True,
        session=SessionQos("joe/1", timeout=0, clear_sessions=False),
        queues=(
            (QueueQos("connection", max_entries=1), (AddressQos(raw="x", collect_time=0, compress_type=""),)),
            (QueueQos("subject"), ()),
        ),
        server_refs=(("IOR", "y"),),
    )
    assert write_connect_qos(qos, redact=True) == (
        b"<qos><reconnected/><instanceId>i</instanceId><persistent/>"
        b"<session name='joe/1' timeout='0' clearSessions='false'/>"
        b"<queue relating='connection' maxEntries='1'>"
        b"<address type='SOCKET'>x<burstMode collectTime='0'/><compress type=''/></address></queue>"
        b"<queue relating='subject'/><serverRef type='IOR'>y</serverRef></qos>"
    )
