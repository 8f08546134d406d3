"""A session over BOSH goes on when the broker was killed: the same requests again, and nothing is lost or doubled."""

from __future__ import annotations

import hashlib

import pytest
from twisted.internet.defer import Deferred, fail

from broker.errors import BrokerError, Code
from broker.xmpp.bosh.session import GATHERING
from broker.xmpp.bosh.settings import BoshSettings
from broker.xmpp.managers.resumption import AGAIN, PATIENCE
from broker.xmpp.wire import ns
from tests.xmpp.bosh.peer import Asked, BoshPeer, Office, bound
from tests.xmpp.world import World

MESSAGE = "<message xmlns='jabber:client' to='jack@localhost/y' type='chat'><body>{}</body></message>"


class Play:
    """Joe over BOSH and jack over TCP, and a broker that is killed.

    Args:
        world: of the first broker.
        options: of joe's session.
    """

    def __init__(self, world: World, **options: object) -> None:
        self.office = Office(world, BoshSettings())
        self.joe = bound(self.office, "joe", **options)
        self.jack = world.bind("jack@localhost/y", sm=True)

    def crash(self, *, committed: bool = True) -> None:
        """The broker is killed; jack is back at once."""
        id, h = self.jack.id, self.jack.h
        self.office.crash(committed=committed)
        self.jack = self.office.world.peer()
        self.jack.login("jack")
        self.jack.resume(id, h)

    def again(self, *asked: Asked, payloads: tuple[str, ...] = ()) -> list[Asked]:
        """Joe sends requests again."""
        contents = [*payloads, *[""] * len(asked)]
        sent = [self.joe.ask(content, rid=each.rid) for each, content in zip(asked, contents, strict=False)]
        self.office.world.advance(GATHERING)
        self.office.world.turn()
        return sent

    def chat(self, *bodies: str) -> None:
        """Messages of jack."""
        for body in bodies:
            self.jack.send(f"<message to='joe@localhost/x' type='chat'><body>{body}</body></message>")


@pytest.fixture
def play(quiet: World) -> Play:
    return Play(quiet)


def test_the_request_that_waits_goes_on(play: Play) -> None:
    waiting = play.joe.ask()
    play.crash()
    (again,) = play.again(waiting)
    assert again.answer is None
    play.chat("hi")
    assert again.bodies == ["hi"]


def test_the_client_goes_on_with_its_next_request(play: Play) -> None:
    waiting = play.joe.ask()
    play.crash()
    (again,) = play.again(waiting)
    following = play.joe.ask(MESSAGE.format("on"))
    assert again.names == []
    assert play.jack.bodies() == ["on"]
    assert following.answer is None


def test_a_message_whose_answer_was_lost_comes_with_the_same_request_again(play: Play) -> None:
    waiting = play.joe.ask()
    play.chat("hi")
    assert waiting.bodies == ["hi"]
    play.crash()
    (again,) = play.again(waiting)
    assert again.bodies == ["hi"]


def test_a_message_whose_answer_has_come_does_not_come_again(play: Play) -> None:
    waiting = play.joe.ask()
    play.chat("hi")
    assert waiting.bodies == ["hi"]
    following = play.joe.ask()
    play.crash()
    (again,) = play.again(following)
    assert again.answer is None
    play.chat("ho")
    assert again.bodies == ["ho"]


def test_a_message_that_was_not_sent_comes_once(play: Play) -> None:
    waiting = play.joe.ask()
    waiting.lose()
    play.chat("hi")
    play.crash()
    (again,) = play.again(waiting)
    assert again.bodies == ["hi"]
    assert play.joe.ask().answer is None


def test_a_message_of_the_client_whose_effects_are_on_disk_has_none_again(play: Play) -> None:
    waiting = play.joe.ask()
    sent = play.joe.ask(MESSAGE.format("once"))
    assert play.jack.bodies() == ["once"]
    play.crash()
    play.again(waiting, sent, payloads=("", MESSAGE.format("once")))
    assert play.jack.bodies() == []


def test_one_whose_effects_are_not_on_disk_is_handled_anew(play: Play) -> None:
    waiting = play.joe.ask()
    sent = play.joe.ask(MESSAGE.format("once"), turn=False)
    play.crash(committed=False)
    play.again(waiting, sent, payloads=("", MESSAGE.format("once")))
    assert play.jack.bodies() == ["once"]


def test_requests_that_come_again_in_another_order_are_put_in_theirs(play: Play) -> None:
    waiting = play.joe.ask()
    play.crash()
    later, first = play.joe.ask(MESSAGE.format("b"), rid=waiting.rid + 1), play.joe.ask(rid=waiting.rid)
    play.office.world.advance(GATHERING)
    play.office.world.turn()
    assert first.names == []
    assert later.answer is None
    assert play.jack.bodies() == ["b"]


def test_long_after_many_empty_requests_the_client_is_found_where_it_is(play: Play) -> None:
    play.joe.ask(MESSAGE.format("x"))
    for _ in range(20):
        waiting = play.joe.ask()
    play.jack.bodies()
    play.crash()
    (again,) = play.again(waiting)
    play.chat("hi")
    assert again.bodies == ["hi"]


def test_acknowledgements_go_on(quiet: World) -> None:
    play = Play(quiet, ack=1)
    waiting = play.joe.ask()
    play.chat("one")
    assert waiting.bodies == ["one"]
    following = play.joe.ask()
    play.crash()
    (again,) = play.again(following)
    play.chat("two")
    assert again.bodies == ["two"]
    for _ in range(4):
        play.joe.ask()
    dispatch = play.office.world.service.domain.clients["joe@localhost/x"].dispatch
    assert not dispatch.in_flight


def test_it_goes_on_after_several_crashes(play: Play) -> None:
    waiting = play.joe.ask()
    for number in range(4):
        play.crash()
        (again,) = play.again(waiting)
        play.chat(str(number))
        assert again.bodies == [str(number)]
        waiting = play.joe.ask()


def test_a_session_whose_stream_is_gone_is_not_found(play: Play) -> None:
    waiting = play.joe.ask()
    play.office.crash()
    play.office.world.advance(601)
    assert play.joe.ask(rid=waiting.rid).condition == "item-not-found"
    assert play.joe.ask(rid=waiting.rid).condition == "item-not-found"


def test_a_session_that_was_ended_is_not_found(play: Play) -> None:
    ended = play.joe.ask(type="terminate")
    play.office.crash()
    assert play.joe.ask(rid=ended.rid).condition == "item-not-found"


def unreadable(*_: object) -> Deferred[object]:
    """A question to a store that cannot work."""
    return fail(BrokerError(Code.RESOURCE_DB_UNAVAILABLE, "no disk"))


def test_requests_wait_while_the_stream_cannot_be_read(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = play.joe.ask()
    play.chat("hi")
    assert waiting.bodies == ["hi"]
    play.crash()
    with monkeypatch.context() as broken:
        broken.setattr(play.office.world.store, "read_entries", unreadable)
        again = play.joe.ask(rid=waiting.rid)
        play.office.world.advance(PATIENCE / 2)
        assert again.answer is None
    play.office.world.advance(AGAIN)
    play.office.world.advance(GATHERING)
    assert again.bodies == ["hi"]


def test_requests_are_to_be_sent_again_where_it_cannot_be_read_for_long(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = play.joe.ask()
    play.chat("hi")
    assert waiting.bodies == ["hi"]
    play.crash()
    with monkeypatch.context() as broken:
        broken.setattr(play.office.world.security, "exists", unreadable)
        refused = play.joe.ask(rid=waiting.rid)
        play.office.world.advance(PATIENCE + AGAIN)
        with pytest.raises(BrokerError) as caught:
            play.office.world.run(refused.answered)
        assert caught.value.code is Code.RESOURCE_UNAVAILABLE
    (again,) = play.again(waiting)
    assert again.bodies == ["hi"]


def test_the_keys_go_on(quiet: World) -> None:
    keys = [b"seed"]
    for _ in range(12):
        keys.append(hashlib.sha1(keys[-1]).hexdigest().encode())
    office = Office(quiet)
    joe = BoshPeer(office, newkey=keys.pop().decode())
    joe.key_of = lambda: keys.pop().decode()
    joe.login("joe")
    joe.bind()
    joe.ask(MESSAGE.format("x"))
    waiting = joe.ask()
    office.crash()
    joe.ask(rid=waiting.rid, key="wrong")
    office.world.advance(GATHERING)
    office.world.turn()
    assert joe.ask().condition == "item-not-found"


def test_what_is_kept_does_not_tell_the_id_of_the_session(play: Play) -> None:
    play.joe.ask(MESSAGE.format("x"))
    documents = play.office.world.broker.documents
    found: list[bytes] = []
    documents.read("", "xmpp.bosh").addCallback(lambda records: found.extend([str(each).encode() for each in records]))
    play.office.world.turn()
    assert len(found) == 1
    assert play.joe.sid.encode() not in found[0]
    assert ns.BOSH.encode() not in found[0]


def test_a_message_whose_answer_had_come_is_settled_when_the_client_leaves(play: Play) -> None:
    waiting = play.joe.ask()
    play.chat("hi")
    assert waiting.bodies == ["hi"]
    following = play.joe.ask()
    play.crash()
    play.again(following)
    play.joe.ask()
    play.joe.ask(type="terminate")
    assert play.office.world.bind("joe@localhost/z").bodies() == []
