"""Long work of one account gives way to that of others, and minds what they have done meanwhile."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from twisted.internet.defer import Deferred

from broker.core.pace import SLICE, NoTurns, Pace
from broker.core.publishing import Published
from broker.core.sessions import Session
from broker.core.subscriptions import Subscription
from broker.core.verdicts import FilterCosts, Verdicts
from broker.core.waiting import Pending
from broker.errors import BrokerError
from broker.filters.candidate import Candidate
from broker.model.key import Key, QueryKey, QueryKind
from broker.model.qos import PublishQos, QueryQos
from tests.core.turns import EachStepIsATurn
from tests.core.world import Client, World

ALL = "<key queryType='XPATH'>//colour</key>"
LENGTH = "<qos><filter type='ContentLenFilter'>5</filter></qos>"


class ManualTurns(NoTurns):
    """Work takes as long as the test says."""

    now = 0.0

    def seconds(self) -> float:
        """What the test says."""
        return self.now


@pytest.fixture
def turns() -> EachStepIsATurn:
    return EachStepIsATurn()


@pytest.fixture
def world(turns: EachStepIsATurn) -> World:
    return World(turns=turns)


@pytest.fixture
def joe(world: World, turns: EachStepIsATurn) -> Client:
    """A client, and ten topics that its query selects."""
    joe = world.client("joe/1")
    for number in range(10):
        joe.publish("", b"%d" % number, key=f"<key oid='t{number}'><colour/></key>")
    turns.accounts.clear()
    return joe


class TestPace:
    def test_work_that_takes_no_time_gives_no_way(self, world: World) -> None:
        assert not Pace(NoTurns(), "joe").is_over

    def test_a_turn_is_over_after_2_ms(self) -> None:
        clock = ManualTurns()
        pace = Pace(clock, "joe")
        clock.now = SLICE / 2
        assert not pace.is_over
        clock.now = SLICE
        assert [pace.is_over, pace.next_turn().called, pace.is_over] == [True, True, False]


class TestQueries:
    def test_a_get_gives_way_at_each_topic_and_at_each_message(self, joe: Client, turns: EachStepIsATurn) -> None:
        assert len(joe.get(key=ALL)) == 10
        assert turns.accounts == ["joe"] * 20

    def test_a_topic_that_is_erased_meanwhile_is_not_found(self, joe: Client, turns: EachStepIsATurn) -> None:
        turns.meanwhile = lambda: joe.world.node.remove_topic(joe.world.node.topics["t0"])
        assert sorted(joe.get(key=ALL)) == [b"%d" % number for number in range(1, 10)]

    def test_the_topics_of_an_account_that_is_no_more_are_erased_in_turns(
        self, joe: Client, turns: EachStepIsATurn
    ) -> None:
        for topic in joe.world.node.topics.values():
            topic.owner = "joe"
        joe.world.run(joe.world.broker.querying.erase_owned("joe"))
        assert not [oid for oid in joe.world.node.topics if oid.startswith("t")]
        assert turns.accounts == ["joe"] * 10

    def test_an_erase_leaves_out_what_is_erased_meanwhile(self, joe: Client, turns: EachStepIsATurn) -> None:
        erased: list[str] = []
        turns.meanwhile = lambda: erased.extend(joe.world.run(joe.world.broker.erase(*exact(joe, "t5"))))
        assert "t5" not in joe.erase(key=ALL)
        assert erased == ["t5"]
        assert not [oid for oid in joe.world.node.topics if oid.startswith("t")]


class TestSubscriptions:
    def test_one_by_a_query_gets_what_is_published_meanwhile_on_a_new_topic(
        self, joe: Client, turns: EachStepIsATurn
    ) -> None:
        turns.meanwhile = lambda: joe.publish("", b"new", key="<key oid='new'><colour/></key>")
        joe.subscribe(key=ALL, qos="<qos><initialUpdate>false</initialUpdate></qos>")
        joe.world.turn()
        assert joe.contents == [b"new"]

    def test_one_that_is_ended_meanwhile_stays_so(self, joe: Client, turns: EachStepIsATurn) -> None:
        turns.meanwhile = lambda: joe.unsubscribe(key=ALL)
        joe.subscribe(key=ALL)
        joe.publish("t0", b"later")
        assert joe.contents == []
        assert not joe.world.node.topics["t0"].subscriptions

    def test_one_whose_query_takes_too_long_is_not_there(self, joe: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("broker.core.topic_search.MAX_STEPS", 20)
        with pytest.raises(BrokerError, match="could take too long"):
            joe.subscribe(key=ALL)
        assert not joe.session.subscriptions
        assert not any(topic.subscriptions for topic in joe.world.node.topics.values())


class TestFilters:
    """The filters of those who would receive a message may take several turns of its publisher."""

    @pytest.fixture
    def published(self, world: World, turns: EachStepIsATurn) -> Callable[[Client, bytes], Published]:
        def publish(client: Client, content: bytes) -> Published:
            publishing: Deferred[Published] = client.publish_later("a", content)
            world.turn()
            result: Published = publishing.result  # type: ignore[assignment]
            return result

        return publish

    @pytest.mark.parametrize("receivers", [1, 5])
    def test_each_receiver_gets_the_message_once(
        self, world: World, turns: EachStepIsATurn, published: Callable[[Client, bytes], Published], receivers: int
    ) -> None:
        clients = [world.client(f"receiver{number}") for number in range(receivers)]
        for client in clients:
            client.subscribe("a", LENGTH)
        turns.accounts.clear()
        published(world.client("publisher"), b"short")
        published(world.client("publisher/2"), b"too long")
        assert [client.contents for client in clients] == [[b"short"]] * receivers
        assert set(turns.accounts) <= {"publisher"}

    def test_each_is_asked_once(self, world: World, published: Callable[[Client, bytes], Published]) -> None:
        asked: list[bytes] = []

        def passes(message: Candidate) -> bool:
            asked.append(message.content)
            return True

        for number in range(5):
            client = world.client(f"receiver{number}")
            client.subscribe("a", LENGTH)
            subscription = next(iter(client.session.subscriptions.values()))
            subscription.accepts = passes
        published(world.client("publisher"), b"1")
        assert asked == [b"1"] * 5

    def test_a_slice_begins_with_the_first_that_was_not_asked(self, world: World) -> None:
        """Given many that were asked, the way to that one may take longer than a slice, in each turn again."""
        clock = ManualTurns()
        verdicts = Verdicts(lambda: 0.0, Pace(clock, "publisher"), FilterCosts())
        subscriptions: list[Subscription] = []
        for number in range(4):
            client = world.client(f"receiver{number}")
            client.subscribe("a", LENGTH)
            subscriptions += client.session.subscriptions.values()
        message = world.node.message(world.node.envelope(Key("a"), PublishQos()), b"1")
        clock.now = SLICE
        assert verdicts.of(subscriptions[0], message)
        with pytest.raises(Pending) as pending:
            verdicts.of(subscriptions[1], message)
        pending.value.wait()
        clock.now += SLICE
        assert [verdicts.of(each, message) for each in subscriptions] == [True] * 4

    def test_one_who_subscribes_meanwhile_gets_the_message(
        self, world: World, turns: EachStepIsATurn, published: Callable[[Client, bytes], Published]
    ) -> None:
        late = world.client("late")
        for number in range(3):
            world.client(f"receiver{number}").subscribe("a", LENGTH)
        turns.meanwhile = lambda: late.subscribe("a")
        published(world.client("publisher"), b"1")
        assert late.contents == [b"1"]


def exact(client: Client, oid: str) -> tuple[Session, QueryKey, QueryQos]:
    """What an erase of one topic takes."""
    return client.session, QueryKey(QueryKind.EXACT, oid), QueryQos()
