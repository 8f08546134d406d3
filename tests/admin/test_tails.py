"""Tails: points, contents, lines of checkpoints, and stanzas of a connection."""

from __future__ import annotations

from typing import Any

import pytest

from broker.admin.followers import Followers, Principal
from broker.admin.tails import HEAD_BYTES, Selection, TailLimits, Tails
from broker.core.queue_control import Progress
from broker.core.trace import Point
from broker.errors import BrokerError
from broker.model.qos import Overflow, QueueQos
from tests.admin.api.desk import Desk
from tests.admin.test_streams import Output
from tests.core.world import World
from tests.xmpp.world import World as XmppWorld

NEWS = Selection(lambda oid, sender, receiver: oid == "news")


class Tailed:
    """A broker that is looked at.

    Args:
        world: its core.
    """

    def __init__(self, world: World | None = None) -> None:
        self.world = world or World()
        self.followers = Followers(self.world.clock)
        self.tails = Tails(Desk(self.world).instance, self.followers)

    def follow(self, selection: Selection = NEWS, *, seconds: float = 60) -> Output:
        output = Output()
        stream = self.tails.open(Principal("joe", lambda: True), selection, TailLimits(seconds, 1000, 1000))
        stream.begin(output)
        return output


def seen(output: Output, event: str = "seen") -> list[Any]:
    return [data for kind, data in output.events() if kind == event]


def sightings(output: Output) -> list[tuple[str, str]]:
    return [(each["point"], each["receiver"]) for each in seen(output)]


def test_publisher_can_be_told_once_its_message_is_safe() -> None:
    tailed = Tailed()
    output = tailed.follow()
    tailed.world.client("joe/1").publish("news", b"x", "<qos><persistent/></qos>")
    assert ("publish.ack", "") in sightings(output)


def test_message_from_point_to_point_is_seen_from_its_publish_on() -> None:
    tailed = Tailed()
    output = tailed.follow(Selection(lambda oid, sender, receiver: True))
    tailed.world.client("ann/1")
    joe = tailed.world.client("joe/1")
    for _ in range(2):  # the second one goes the short way
        joe.send("ann/1", b"x")
        points = [each["point"] for each in seen(output)]
        assert points[:2] == ["publish.enter", "update.queue.add"]
        assert "publish.ack" in points


@pytest.mark.parametrize(
    "force", ["<expiration lifeTime='1000' forceDestroy='true'/>", "<expiration lifeTime='1000'/>"]
)
def test_message_whose_time_is_over_is_seen(force: str) -> None:
    tailed = Tailed()
    output = tailed.follow()
    tailed.world.client("joe/1").publish("news", b"x", f"<qos>{force}</qos>")
    tailed.world.advance(2)
    assert "expired" in [each["point"] for each in seen(output)]


@pytest.mark.parametrize("overflow", [Overflow.DISCARD, Overflow.DISCARD_OLDEST])
def test_message_that_is_discarded_is_seen(overflow: Overflow) -> None:
    tailed = Tailed()
    queue = QueueQos("callback", max_entries=1, on_overflow=overflow)
    ann = tailed.world.client("ann/1", persistent=True, queue=queue)
    ann.subscribe("news")
    ann.lose_connection()
    output = tailed.follow()
    joe = tailed.world.client("joe/1")
    for _ in range(2):
        joe.publish("news", b"x")
    assert "discarded" in [each["point"] for each in seen(output)]


def test_message_that_is_moved_is_seen_with_where_it_goes() -> None:
    tailed = Tailed()
    world = tailed.world
    ann, bob = (world.client(f"{name}/1", persistent=True) for name in ("ann", "bob"))
    ann.subscribe("news")
    ann.lose_connection()
    world.client("joe/1").publish("news", b"x")
    output = tailed.follow()
    world.run(world.broker.queue_control.move(ann.session, lambda entry: True, bob.session, Progress()))
    assert sightings(output)[0] == ("moved", "bob/1")


def test_beginning_of_a_content_is_told_where_it_is_asked_for() -> None:
    tailed = Tailed()
    output = tailed.follow(Selection(NEWS.wanted, content=True))
    tailed.world.client("joe/1").publish("news", b"a" * (HEAD_BYTES + 1))
    content = seen(output)[0]["content"]
    assert content == {"bytes": HEAD_BYTES + 1, "truncated": True, "text": "a" * HEAD_BYTES}


def test_lines_of_checkpoints_name_the_message_as_programs_do() -> None:
    tailed = Tailed()
    output = tailed.follow(Selection(NEWS.wanted, {Point.SENT}, checkpoint=True))
    tailed.world.client("ann/1").subscribe("news")
    qos = "<qos><clientProperty name='wfguid'>&lt;&#10;7</clientProperty></qos>"
    tailed.world.client("joe/1").publish("news", b"x", qos)
    (line,) = [each["data"] for each in output.frames() if each["event"] == "checkpoint"]
    assert line == (
        "<cp>update.send</cp> <topicId>news</topicId> <wfguid>&lt;&#10;7</wfguid> <sender>client/joe/1</sender>"
        " <destination>client/ann/1</destination>"
    )


def test_two_tails_see_the_same_and_go_on_apart() -> None:
    tailed = Tailed()
    short, long = tailed.follow(seconds=1), tailed.follow()
    joe = tailed.world.client("joe/1")
    joe.publish("news", b"x")
    assert seen(short) == seen(long)
    tailed.world.advance(1)
    joe.publish("news", b"x")
    assert (short.finished, len(seen(long))) == (True, 2 * len(seen(short)))
    tailed.tails.stop()
    assert tailed.world.node.trace is None


class StanzasTailed(Tailed):
    """A broker with an XMPP client whose connection is looked at."""

    def __init__(self) -> None:
        self.xmpp = XmppWorld()
        super().__init__(self.xmpp)
        self.peer = self.xmpp.bind("joe@localhost/x", sm=True)

    def look(self, *, content: bool = False) -> Output:
        return self.follow(Selection(lambda *names: False, content=content, stanzas=self.peer.stream))


MESSAGE = "<message to='jack@localhost' id='m1' type='chat'><body>hush</body></message>"
REGISTER = "<iq type='set' id='r'><query xmlns='jabber:iq:register'><password>hush</password></query></iq>"


def test_stanzas_of_a_connection_are_told_by_what_they_are() -> None:
    tailed = StanzasTailed()
    output = tailed.look()
    tailed.peer.send(MESSAGE + "<iq type='get' id='q' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>")
    came, *_ = [each for each in seen(output, "stanza") if each["direction"] == "in"]
    sent = [each for each in seen(output, "stanza") if each["direction"] == "out"]
    assert (came["kind"], came["type"], came["id"], came["receiver"]) == ("message", "chat", "m1", "jack@localhost")
    assert ("iq", "q") in [(each["kind"], each.get("id")) for each in sent]
    assert "hush" not in output.text


def test_contents_of_stanzas_are_told_where_they_are_asked_for_and_passwords_never() -> None:
    tailed = StanzasTailed()
    output = tailed.look(content=True)
    tailed.peer.send(REGISTER)
    assert "hush" not in output.text
    tailed.peer.send(MESSAGE)
    assert "hush" in output.text


def test_tail_ends_with_the_connection_whose_stanzas_it_tells() -> None:
    tailed = StanzasTailed()
    output = tailed.look()
    tailed.peer.cut()
    assert seen(output, "end")[0]["reason"] == "disconnected"


def test_nothing_is_looked_at_any_more_when_the_tail_has_ended() -> None:
    tailed = StanzasTailed()
    output = tailed.look()
    tailed.tails.stop()
    told = len(seen(output, "stanza"))
    tailed.peer.send(MESSAGE)
    assert tailed.peer.stream.tap is None
    assert len(seen(output, "stanza")) == told
    assert tailed.peer.count() > 0


def test_stanzas_of_one_connection_are_told_to_one() -> None:
    tailed = StanzasTailed()
    tailed.look()
    with pytest.raises(BrokerError, match="already"):
        tailed.look()
    assert len(tailed.followers) == 1


def test_negotiation_is_not_looked_at() -> None:
    tailed = StanzasTailed()
    tailed.peer = tailed.xmpp.peer()
    tailed.peer.open()
    with pytest.raises(BrokerError, match="nobody has logged in"):
        tailed.look()
