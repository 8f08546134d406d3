"""A broker that says more than this client knows."""

from __future__ import annotations

from broker.client import ConnectOptions, State, Update
from broker.errors import Code
from broker.native.wire.frames import Frame, Kind, encode_frame, encode_unit
from tests.client.fake_broker import JOE, Connection, FakeBroker, Outcome

NEWS = "__subId:client/joe/session/1-exact:news"
LOGIN = encode_unit(
    b"<qos shape='2'><securityService type='oauth' version='9'>joe</securityService>"
    b"<session name='/node/n/client/joe/1' sessionId='secret' region='north'/>"
    b"<reconnected>true</reconnected><quota messages='5'><burst/></quota></qos>"
)


def answering(body: bytes, options: ConnectOptions = JOE) -> FakeBroker:
    """A broker that answers every request of a client that is logged in with these bytes."""
    broker = FakeBroker(options)
    broker.connect()
    broker.serve = lambda connection, frame: connection.answer(frame, body)
    return broker


def logged_in_by(body: bytes) -> tuple[FakeBroker, Outcome]:
    """A client whose login is answered with these bytes."""
    broker = FakeBroker()
    outcome = Outcome(broker.client.connect())
    connection = broker.take()
    for frame in connection.read():
        connection.answer(frame, body)
    return broker, outcome


def test_what_an_answer_to_the_login_has_in_addition_is_passed_over() -> None:
    broker, outcome = logged_in_by(LOGIN)
    assert outcome.error is None
    assert (broker.client.state, broker.client.name) == (State.ALIVE, "/node/n/client/joe/1")


def test_a_login_whose_answer_cannot_be_read_fails() -> None:
    broker, outcome = logged_in_by(encode_unit(b"{'qos': {}}"))
    assert outcome.code == Code.INTERNAL_UNKNOWN
    assert broker.connection.transport.aborting


def test_a_state_that_is_not_known_is_handed_to_the_program() -> None:
    broker = answering(
        encode_unit(b"<qos><state id='DELAYED' info='until noon'/><key oid='news'/><lane>7</lane><isPublish/></qos>")
    )
    published = Outcome(broker.client.publish("news", b"1"))
    broker.turn()
    assert (published.value.oid, published.value.state, published.value.info) == ("news", "DELAYED", "until noon")


def test_an_error_code_that_is_not_known_is_handed_to_the_program_as_text() -> None:
    broker = FakeBroker()
    broker.connect()
    body = encode_unit(b"", content=b"user.quota.spent\0n\0\0en\0come back tomorrow\0\0\0\0\0")

    def refuse(connection: Connection, frame: Frame) -> None:
        kind, method = Kind.EXCEPTION, frame.method
        connection.protocol.dataReceived(encode_frame(kind, frame.request_id, method, b"secret", body))

    broker.serve = refuse
    published = Outcome(broker.client.publish("news", b"1"))
    broker.turn()
    assert published.code == "user.quota.spent"
    assert broker.client.state is State.ALIVE


def test_an_answer_that_cannot_be_read_fails_its_request_alone() -> None:
    broker = answering(encode_unit(b"{'state': 'OK'}", b"<key oid='news'/>"))
    outcomes = [Outcome(broker.client.publish("news", b"1")), Outcome(broker.client.get("news"))]
    outcomes += [Outcome(broker.client.subscribe("news")), Outcome(broker.client.erase("news"))]
    broker.turn()
    assert [each.code for each in outcomes] == [Code.INTERNAL_UNKNOWN] * 4
    assert broker.client.state is State.ALIVE


def test_what_an_update_has_in_addition_is_passed_over() -> None:
    arrived: list[Update] = []
    broker = FakeBroker(on_update=arrived.append)
    broker.connect()
    broker.connection.read()
    qos = (
        b"<qos><sender>/node/n/client/jack/1</sender><lane n='7'><deep/></lane><subscribe id='%b'/></qos>"
        % NEWS.encode()
    )
    key = b"<key oid='news' contentMime='text/plain' schema='4'><meta/></key>"
    broker.connection.invoke(b"update", encode_unit(qos, key, b"hello"))
    assert [update.text for update in arrived] == ["hello"]
    assert broker.acknowledged() == ["RESPONSE"]


def test_an_update_that_cannot_be_read_is_refused_and_not_acknowledged() -> None:
    broker = FakeBroker(on_update=print)
    broker.connect()
    broker.connection.read()
    broker.connection.invoke(b"update", encode_unit(b"{'priority': 5}", b"<key oid='a'/>", b"x"))
    assert broker.acknowledged() == ["EXCEPTION"]


def test_a_method_that_is_not_known_is_refused_and_reaches_no_callback() -> None:
    arrived: list[Update] = []
    broker = FakeBroker(on_update=arrived.append)
    broker.connect()
    broker.connection.read()
    broker.connection.invoke(b"revise", encode_unit(b"<qos/>", b"<key oid='news'/>", b"hello"))
    assert (arrived, broker.acknowledged()) == ([], ["EXCEPTION"])
    assert broker.client.state is State.ALIVE
