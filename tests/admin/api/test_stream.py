"""``/stream``."""

from __future__ import annotations

import pytest

from broker.admin.api.operations import Operation
from broker.admin.api.stream import stream_operations
from broker.admin.followers import Followers
from broker.admin.streams import Streams
from broker.admin.views.overview import Overview
from broker.admin.why import Why
from tests.admin.api.desk import Desk
from tests.net.http.conversation import Connection, request


class Followed:
    """A desk whose stream is followed."""

    def __init__(self, desk: Desk | None = None) -> None:
        self.desk = desk or Desk(settings={"db.url": "memory:"})
        self.followers = Followers(self.desk.world.clock)
        self.streams = Streams(self.desk.world.clock, self.followers)

    @property
    def operations(self) -> list[Operation]:
        instance = self.desk.instance

        def tell(now: int) -> Overview:
            raise AssertionError("nobody has asked for it")

        return stream_operations(instance, self.streams, tell, Why(instance, lambda id: None), self.desk.gate)

    def follow(self, what: str) -> Connection:
        channel = self.desk.site(self.operations).buildProtocol(None)
        assert channel is not None
        connection = Connection(channel, self.desk.world.clock)
        connection.send(request(f"/api/v1/stream?what={what}"))
        self.pass_seconds(0)
        return connection

    def pass_seconds(self, seconds: int) -> None:
        for _ in range(seconds or 1):
            self.desk.world.advance(min(seconds, 1))
        self.desk.world.turn()


def test_sessions_whose_login_name_matches_are_followed() -> None:
    followed = Followed()
    followed.desk.world.client("joe/1")
    followed.desk.world.client("jack")
    connection = followed.follow("sessions:jo*")
    assert connection.transport.value().count(b"event: session") == 1

    followed.desk.world.client("joe/2")
    followed.pass_seconds(2)

    text = connection.transport.value()
    assert b'"name":"joe/2"' in text
    assert b"jack" not in text
    connection.lose()


def test_longest_queues_are_followed() -> None:
    followed = Followed()
    joe = followed.desk.world.client("joe/1", answers=False)
    joe.subscribe("news")
    connection = followed.follow("queues:top")

    followed.desk.world.client("jack").publish("news", b"x")
    followed.pass_seconds(2)

    assert b'"relating":"callback","owner":"joe~1","entries":1' in connection.transport.value()
    connection.lose()
    assert len(followed.followers) == 0


@pytest.mark.parametrize("what", ["nonsense", "sessions:", "sessions:a*b", "overview,queues"])
def test_what_cannot_be_followed_is_refused(what: str) -> None:
    followed = Followed()
    (answer,) = followed.follow(what).answers()
    assert answer.status == 400
    assert len(followed.followers) == 0


def test_stream_is_not_for_who_is_not_logged_in() -> None:
    (answer,) = Followed(Desk(settings={"db.url": "memory:"}, uid=None)).follow("overview").answers()
    assert answer.status == 401
