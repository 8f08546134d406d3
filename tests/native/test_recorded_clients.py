"""What the broker owes to real clients, shown with bytes that they sent (``tests/data/captures``)."""

from __future__ import annotations

import pytest

from broker.errors import Code
from broker.native.codec import read_connect_qos
from broker.native.wire.frames import Frame, Kind
from broker.native.wire.methods import decode_exception
from tests.native.peer import Listener, Peer
from tests.native.wire.captures import frames


def send(peer: Peer, recorded: bytes) -> Frame:
    """Send a recorded request; returns the frame that answers it."""
    peer.write(recorded)
    (answer,) = [frame for frame in peer.frames() if frame.kind is not Kind.INVOKE]
    return answer


class TestConnect:
    def test_answer_to_the_java_client_has_an_empty_password(self) -> None:
        (unit,) = send(Listener().peer(), frames("java-basic/conn0")[0]).units()
        assert b"<user>joe</user><passwd></passwd>" in unit.qos

    def test_session_of_another_login_name_is_served_where_it_has_the_same_password(self) -> None:
        recorded = frames("raw-probes-wire/conn20")[0]
        assert b"<user>joe</user>" in recorded
        assert b"name='jack/1'" in recorded
        (unit,) = send(Listener().peer(), recorded).units()
        assert read_connect_qos(unit.qos).session.name == "/node/heron/client/jack/1"

    def test_that_is_refused_leaves_the_connection_open_for_the_next(self) -> None:
        listener = Listener()
        first, refused, clearing = (frames(f"java-maxsessions/conn{number}")[0] for number in range(3))
        assert send(listener.peer(), first).kind is Kind.RESPONSE
        peer = listener.peer()
        answer = send(peer, refused)
        assert answer.kind is Kind.EXCEPTION
        assert decode_exception(answer).code == Code.USER_CONFIGURATION_MAX_SESSION
        assert not peer.closed
        assert send(peer, clearing).kind is Kind.RESPONSE

    @pytest.mark.parametrize("number", [16, 17, 18, 19])
    def test_without_credentials_leaves_it_open_too(self, number: int) -> None:
        peer = Listener().peer()
        assert send(peer, frames(f"raw-probes-wire/conn{number}")[0]).kind is Kind.EXCEPTION
        assert not peer.closed
