"""What may be asked on a link, and what follows: the tables."""

from __future__ import annotations

import pytest

from broker.xmpp.managers.transitions import Asked, Progress, State, Step, asked
from broker.xmpp.stream.transitions import IllegalTransition, Violation


def at(*steps: Step) -> Progress:
    """A link that has come so far."""
    progress = Progress()
    for step in steps:
        progress.advance(step)
    return progress


LINKED = (Step.GREET, Step.ADMIT)


def test_link_goes_from_the_header_to_the_handshake_over_tls_and_compression() -> None:
    progress = at(Step.GREET, Step.START_TLS, Step.SECURED, Step.GREET, Step.COMPRESS, Step.GREET)
    assert not progress.is_linked
    progress.advance(Step.ADMIT)
    assert progress.is_linked


def test_nobody_is_linked_without_a_header() -> None:
    with pytest.raises(IllegalTransition):
        at(Step.ADMIT)


def test_nothing_is_read_during_the_handshake_of_tls_in_frames_and_behind_the_end() -> None:
    for steps in ((Step.GREET, Step.START_TLS), (*LINKED, Step.FRAMES), (*LINKED, Step.LEAVE)):
        progress = at(*steps)
        assert not progress.is_read
        with pytest.raises(IllegalTransition):
            progress.answer(Asked.ROUTE)


@pytest.mark.parametrize("request_", list(Asked))
def test_before_the_handshake_nothing_reaches_clients(request_: Asked) -> None:
    assert at(Step.GREET).answer(request_) not in (Step.DELIVER, Step.SERVE, Step.FRAMES)


def test_second_handshake_and_late_tls_are_violations() -> None:
    for request in (Asked.HANDSHAKE, Asked.START_TLS, Asked.COMPRESS, Asked.STANZA, Asked.OTHER):
        assert isinstance(at(*LINKED).answer(request), Violation)


def test_server_that_stops_takes_no_routes_and_answers_requests() -> None:
    progress = at(*LINKED, Step.SHUT_DOWN)
    assert progress.state is State.LEAVING
    assert progress.answer(Asked.ROUTE) is Step.IGNORE
    assert progress.answer(Asked.REQUEST) is Step.SERVE


def test_link_may_end_at_any_time() -> None:
    for steps in ((), (Step.GREET,), (Step.GREET, Step.START_TLS), LINKED, (*LINKED, Step.FRAMES)):
        assert at(*steps, Step.LEAVE, Step.LEAVE).state is State.ENDED


def test_elements_are_known_by_their_names() -> None:
    assert asked(b"route") is Asked.ROUTE
    assert asked(b"stream:error") is Asked.LEAVE
    assert asked(b"x") is Asked.OTHER
