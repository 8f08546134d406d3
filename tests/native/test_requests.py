"""The queue of requests of one connection: order, turns, and what keeps it from being read from."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred, succeed

from broker.core.quotas import QuotaLimits, Usage
from broker.native.requests import LARGE, RequestQueue
from broker.native.wire.frames import Frame, FrameReader, Kind, encode_frame
from broker.net.read_pauses import Pause


def request(name: str) -> Frame:
    return Frame(Kind.INVOKE, name.encode(), b"get", b"", b"")


class Connection:
    """A connection whose turns the test ends."""

    def __init__(self) -> None:
        self.turn_is_over = False
        self.asked = 0
        self.holds: set[str] = set()

    def ask_for_turn(self) -> None:
        """Remember it."""
        self.asked += 1

    def hold(self, reason: str) -> None:
        """Do not read."""
        self.holds.add(reason)

    def release(self, reason: str) -> None:
        """Read again."""
        self.holds.discard(reason)


class Server:
    """Serves requests: at once, or when the test says so."""

    def __init__(self, most: int = 4, most_bytes: int = 1000) -> None:
        self.connection = Connection()
        self.served: list[str] = []
        self.slow: dict[str, Deferred[None]] = {}
        self.reader = FrameReader(1 << 21)
        self.queue = RequestQueue(self.connection, self.begin, most, self.reader, most_bytes)

    def begin(self, frame: Frame) -> Deferred[None] | None:
        """Begin with a request."""
        name = frame.request_id.decode()
        self.served.append(name)
        return self.slow.get(name, succeed(None) if name == "fired" else None)

    def come(self, *names: str) -> None:
        """Requests come in one read."""
        for name in names:
            self.queue.add(request(name))
        self.queue.run()

    def come_as_bytes(self, name: str, size: int) -> None:
        """A request of that size comes."""
        for frame in self.reader.feed(encode_frame(Kind.INVOKE, name.encode(), b"get", b"", b"x" * size)):
            self.queue.add(frame)
        self.queue.run()


@pytest.fixture
def server() -> Server:
    return Server()


def test_requests_are_served_in_order_and_at_once(server: Server) -> None:
    server.come("a", "fired", "b")
    assert server.served == ["a", "fired", "b"]
    assert server.connection.asked == 0


def test_those_behind_a_slow_one_wait_for_it(server: Server) -> None:
    slow = server.slow["a"] = Deferred()
    server.come("a", "b")
    server.come("c")
    assert server.served == ["a"]
    slow.callback(None)
    server.queue.turn()
    assert server.served == ["a", "b", "c"]


def test_when_a_slow_one_is_done_the_next_waits_for_its_turn(server: Server) -> None:
    slow = server.slow["a"] = Deferred()
    server.come("a", "b")
    slow.callback(None)
    assert server.connection.asked == 1
    assert server.served == ["a"]


def test_one_is_served_in_each_turn_however_long_it_takes(server: Server) -> None:
    server.connection.turn_is_over = True
    server.come("a", "b", "c")
    assert server.served == ["a"]
    server.queue.turn()
    assert server.served == ["a", "b"]
    assert server.connection.asked == 2
    server.queue.turn()
    assert server.served == ["a", "b", "c"]
    assert server.connection.asked == 2


def test_a_large_one_is_served_in_a_turn_of_its_own_where_it_took_long_to_read() -> None:
    server = Server(most_bytes=LARGE)
    server.connection.turn_is_over = True
    server.come_as_bytes("small", 900)
    assert server.served == ["small"]
    server.come_as_bytes("large", LARGE + 1)
    assert server.served == ["small"]
    server.queue.turn()
    assert server.served == ["small", "large"]


def test_nothing_is_served_while_no_answer_can_be_written(server: Server) -> None:
    server.queue.blocked = True
    server.come("a")
    assert server.served == []
    server.queue.blocked = False
    server.queue.run()
    assert server.served == ["a"]


def test_nothing_is_read_while_too_many_wait(server: Server) -> None:
    slow = server.slow["a"] = Deferred()
    server.come("a", "b", "c", "d")
    assert not server.connection.holds
    server.come("e")
    assert server.connection.holds == {Pause.REQUESTS_WAITING}
    server.connection.turn_is_over = True
    slow.callback(None)
    server.queue.turn()
    assert server.connection.holds == {Pause.REQUESTS_WAITING}
    server.queue.turn()
    assert not server.connection.holds


def test_it_tells_when_nothing_is_left_to_serve(server: Server) -> None:
    idle: list[int] = []
    server.queue.on_idle = lambda: idle.append(len(server.served))
    slow = server.slow["b"] = Deferred()
    server.come("a", "b")
    assert idle == []
    slow.callback(None)
    assert idle == [2]


def test_a_request_that_breaks_off_does_not_stop_the_next(server: Server) -> None:
    slow = server.slow["a"] = Deferred()
    server.come("a", "b")
    slow.errback(RuntimeError("a bug"))
    server.queue.turn()
    assert server.served == ["a", "b"]


def test_who_has_given_way_is_not_served_because_more_comes(server: Server) -> None:
    server.connection.turn_is_over = True
    server.come("a", "b")
    server.come("c")
    server.come("d")
    assert server.served == ["a"]
    server.queue.turn()
    assert server.served == ["a", "b"]


def test_nothing_is_read_while_large_requests_wait() -> None:
    server = Server(most_bytes=1000)
    slow = server.slow["a"] = Deferred()
    server.come_as_bytes("a", 900)
    server.come_as_bytes("b", 900)
    assert not server.connection.holds
    server.come_as_bytes("c", 900)
    assert server.connection.holds == {Pause.REQUESTS_WAITING}
    slow.callback(None)
    server.queue.turn()
    assert server.served == ["a", "b", "c"]
    assert not server.connection.holds


def test_large_requests_that_are_served_at_once_pause_nothing() -> None:
    server = Server(most_bytes=1000)
    for name in "abcdef":
        server.come_as_bytes(name, 900)
        assert not server.connection.holds


class TestConnectionsOfAnAccount:
    """They share how many bytes of requests may wait."""

    def waiting(self, usage: Usage, size: int) -> tuple[Server, Deferred[None]]:
        """A connection with a request that takes its time, and one of that size behind it."""
        server = Server(most_bytes=10_000)
        server.queue.belong(usage)
        slow = server.slow["a"] = Deferred()
        server.come("a")
        server.come_as_bytes("b", size)
        return server, slow

    def test_nothing_is_read_from_those_with_which_too_many_wait(self) -> None:
        usage = Usage("joe", QuotaLimits(waiting_bytes=2500))
        one, slow = self.waiting(usage, 1000)
        assert not one.connection.holds
        other, _ = self.waiting(usage, 2000)
        assert other.connection.holds == {Pause.REQUESTS_WAITING}
        idle = Server()
        idle.queue.belong(usage)
        idle.come_as_bytes("c", 100)
        assert idle.served == ["c"]
        assert not idle.connection.holds
        slow.callback(None)
        one.queue.turn()
        assert 2000 < usage.waiting_bytes < 2500

    def test_they_are_read_again_when_theirs_are_served(self) -> None:
        usage = Usage("joe", QuotaLimits(waiting_bytes=500))
        server, slow = self.waiting(usage, 1000)
        assert server.connection.holds == {Pause.REQUESTS_WAITING}
        slow.callback(None)
        server.queue.turn()
        assert server.served == ["a", "b"]
        assert not server.connection.holds
        assert usage.waiting_bytes == 0

    def test_what_came_before_the_login_counts_and_what_is_forgotten_does_not(self) -> None:
        server = Server()
        server.slow["a"] = Deferred()
        server.come("a")
        server.come_as_bytes("b", 500)
        usage = Usage("joe")
        server.queue.belong(usage)
        assert usage.waiting_bytes > 500
        server.queue.clear()
        assert usage.waiting_bytes == 0
