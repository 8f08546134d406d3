"""What a client may ask before it is bound (RFC 6120 §5-§7, XEP-0198 §5)."""

from __future__ import annotations

import pytest

from broker.xml.stanza import Stanza
from broker.xml.stream import StreamReader
from broker.xmpp.stream.transitions import Asked, IllegalTransition, Progress, State, Step, Violation, asked
from broker.xmpp.wire import ns
from tests.xmpp.world import HEADER

WAY = [Step.START_TLS, Step.SECURED, Step.AUTHENTICATE, Step.ADMITTED, Step.BIND, Step.BOUND]
STATES = [
    State.STRANGER,
    State.SECURING,
    State.STRANGER,
    State.AUTHENTICATING,
    State.LOGGED_IN,
    State.BINDING,
    State.BOUND,
]


def stanza(text: str) -> Stanza:
    _, read = StreamReader(10_000).feed(HEADER + text.encode())
    assert isinstance(read, Stanza)
    return read


def progress(state: State) -> Progress:
    made = Progress()
    for step in WAY[: STATES.index(state)]:
        made.advance(step)
    assert made.state is state
    return made


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"<starttls xmlns='{ns.TLS}'/>", Asked.START_TLS),
        (f"<auth xmlns='{ns.SASL}'/>", Asked.AUTHENTICATE),
        (f"<response xmlns='{ns.SASL}'/>", Asked.RESPOND),
        (f"<abort xmlns='{ns.SASL}'/>", Asked.ABORT),
        (f"<success xmlns='{ns.SASL}'/>", Asked.OTHER_SASL),
        (f"<resume xmlns='{ns.SM}'/>", Asked.RESUME),
        (f"<enable xmlns='{ns.SM}'/>", Asked.MANAGE),
        (f"<r xmlns='{ns.SM}'/>", Asked.MANAGE),
        (f"<a xmlns='{ns.SM}'/>", Asked.ACKNOWLEDGE),
        (f"<iq type='set' id='1'><bind xmlns='{ns.BIND}'/></iq>", Asked.BIND),
        (f"<iq type='set' id=''><bind xmlns='{ns.BIND}'/></iq>", Asked.BIND),
        (f"<iq type='set'><bind xmlns='{ns.BIND}'/></iq>", Asked.OTHER_BIND),
        (f"<iq type='get' id='1'><bind xmlns='{ns.BIND}'/></iq>", Asked.OTHER_BIND),
        (f"<iq type='result' id='1'><bind xmlns='{ns.BIND}'/></iq>", Asked.SEND),
        (f"<iq type='set'><session xmlns='{ns.SESSION}'/></iq>", Asked.SESSION),
        ("<message/>", Asked.SEND),
        ("<presence/>", Asked.SEND),
        ("<other/>", Asked.OTHER),
        ("<message xmlns='other'/>", Asked.OTHER),
        ("<proceed xmlns='other'/>", Asked.OTHER),
    ],
)
def test_an_element_says_what_it_asks_for(text: str, expected: Asked) -> None:
    assert asked(stanza(text)) is expected


class TestAnswers:
    @pytest.mark.parametrize("state", [State.STRANGER, State.LOGGED_IN])
    @pytest.mark.parametrize("request_", list(Asked))
    def test_every_request_has_one_while_requests_are_handled(self, state: State, request_: Asked) -> None:
        assert isinstance(progress(state).answer(request_), (Step, Violation))

    @pytest.mark.parametrize("state", [State.SECURING, State.AUTHENTICATING, State.BINDING, State.BOUND])
    def test_there_are_none_while_another_request_is_handled(self, state: State) -> None:
        with pytest.raises(IllegalTransition):
            progress(state).answer(Asked.BIND)

    @pytest.mark.parametrize("request_", [Asked.BIND, Asked.SESSION, Asked.SEND])
    def test_strangers_may_send_nothing(self, request_: Asked) -> None:
        answer = progress(State.STRANGER).answer(request_)
        assert isinstance(answer, Violation)
        assert answer.condition == "not-authorized"

    def test_strangers_may_not_resume(self) -> None:
        assert progress(State.STRANGER).answer(Asked.RESUME) is Step.REFUSE_MANAGEMENT

    @pytest.mark.parametrize("request_", [Asked.START_TLS, Asked.AUTHENTICATE, Asked.RESPOND, Asked.OTHER_SASL])
    def test_who_is_admitted_may_not_begin_anew(self, request_: Asked) -> None:
        assert isinstance(progress(State.LOGGED_IN).answer(request_), Violation)


class TestProgress:
    @pytest.mark.parametrize("state", [State.LOGGED_IN, State.BINDING, State.BOUND])
    def test_is_admitted_after_the_login(self, state: State) -> None:
        assert progress(state).is_admitted
        assert not progress(State.AUTHENTICATING).is_admitted

    @pytest.mark.parametrize("step", [Step.CHALLENGED, Step.REFUSE_SASL])
    def test_a_stranger_goes_on_after_a_challenge_or_a_failure(self, step: Step) -> None:
        client = progress(State.AUTHENTICATING)
        client.advance(step)
        client.advance(Step.RESPOND)
        assert client.state is State.AUTHENTICATING

    @pytest.mark.parametrize("step", [Step.BIND, Step.RESUME])
    def test_a_client_may_try_again_to_bind(self, step: Step) -> None:
        client = progress(State.LOGGED_IN)
        client.advance(step)
        client.advance(Step.NOT_BOUND)
        assert client.state is State.LOGGED_IN

    @pytest.mark.parametrize("step", [Step.ADMITTED, Step.BIND, Step.RESUME, Step.BOUND, Step.SECURED])
    def test_a_stranger_cannot_skip_the_login(self, step: Step) -> None:
        client = progress(State.STRANGER)
        with pytest.raises(IllegalTransition):
            client.advance(step)
        assert client.state is State.STRANGER

    @pytest.mark.parametrize("step", list(Step))
    def test_nothing_follows_on_a_bound_stream(self, step: Step) -> None:
        with pytest.raises(IllegalTransition):
            progress(State.BOUND).advance(step)
