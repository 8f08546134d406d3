"""Changes of queues that meet each other, deliveries and the end of sessions: each message is in one place afterwards.

Schedules are made of a seed: which changes begin, in which order, and how often the reactor turns in between. A slice
is two entries here, and four fit into the memory of a queue, so that all are amid their work when the next begins.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest

from broker.admin.actions import dead_messages
from broker.core import queue_control
from broker.core.entries import QueueLimits
from broker.core.queues import Queue
from broker.model.key import DEAD_MESSAGE_OID as DEAD
from tests.admin.api.desk import Desk
from tests.admin.api.office import ChangeOffice
from tests.core.world import DEFAULTS, FakeOutbound, World
from tests.net.http.conversation import Connection, request

SMALL = replace(
    DEFAULTS,
    callback=QueueLimits(cache_entries=4),
    subject=QueueLimits(cache_entries=4),
)
MESSAGES = 20
ALL = '"select": {"all": true}'
JOE, JACK = "queues/callback/joe~1/entries", "queues/callback/jack~1/entries"
CHANGES = (
    (f"{JOE}/move", f'{{{ALL}, "to": {{"relating": "callback", "owner": "jack~1"}}}}'),
    (f"{JOE}/move", f'{{{ALL}, "to": {{"relating": "subject", "owner": "bob"}}}}'),
    (f"{JACK}/move", f'{{{ALL}, "to": {{"relating": "callback", "owner": "joe~1"}}}}'),
    (f"{JACK}/move", f'{{{ALL}, "to": {{"relating": "subject", "owner": "bob"}}}}'),
    (f"{JOE}/requeue", f'{{{ALL}, "priority": 7}}'),
    (f"{JOE}/delete", f'{{{ALL}, "to": "dead"}}'),
    (f"{JACK}/delete", f'{{{ALL}, "to": "dead"}}'),
    ("queues/subject/bob/entries/move", f'{{{ALL}, "to": {{"relating": "callback", "owner": "joe~1"}}}}'),
    ("dead-messages/replay", f'{{{ALL}, "to": {{"session": "joe/1"}}}}'),
    ("dead-messages/replay", f'{{{ALL}, "to": {{"session": "jack/1"}}, "force": true}}'),
    ("sessions/joe/1/end", '{"queue": "dead"}'),
    ("joe comes back", ""),
    ("jack comes back", ""),
)


class Race:
    """joe and jack are away with messages in their queues, of which the API moves, kills and wakes some.

    Args:
        seed: of the schedule.
    """

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.office = ChangeOffice(Desk(World(SMALL)))
        self.world = self.office.world
        self.clients = {name: self.world.client(f"{name}/1", persistent=True) for name in ("joe", "jack")}
        for client in self.clients.values():
            client.lose_connection()
        self.outbounds: list[FakeOutbound] = []
        ann = self.world.client("ann/1", callback=False)
        for number in range(MESSAGES):
            ann.send(self.random.choice(("joe/1", "jack/1")), b"%d" % number)
        self.world.turn()

    def run(self) -> list[str]:
        """Begin some of the changes, and let all of them end; tells what was begun."""
        site = self.office.desk.site(self.office.operations)
        begun = []
        for path, body in self.random.sample(CHANGES, 6):
            begun.append(path)
            name, _, what = path.partition(" ")
            if what:
                if not self.clients[name].session.ended:
                    self.outbounds.append(self.clients[name].come_back())
            else:
                channel = site.buildProtocol(None)
                assert channel is not None
                header = {"Content_Type": "application/json", "If_Match": self._revision(path)}
                Connection(channel, self.world.clock).send(request(f"/api/v1/{path}", "POST", body.encode(), **header))
            self.world.turn(self.random.randrange(6))
        self.world.turn(500)
        return begun

    def places(self) -> Counter[str]:
        """How often each message is anywhere: with a client, in a queue, or dead."""
        self.world.store.commit()
        tables, topics = self.world.store.tables, self.world.node.topics
        histories = {topic.id for topic in topics.values()} - {topics[DEAD].id if DEAD in topics else 0}
        found = Counter(text.decode() for outbound in self.outbounds for text in outbound.contents)
        found.update(
            tables.messages[each.message_id].content.decode()
            for each in tables.entries()
            if each.queue_id not in histories
        )
        return found

    def counted(self) -> dict[int, int]:
        """How many entries each queue says that it has."""
        queues = self.world.node.queues.items()
        return {id: queue.entries for id, queue in queues if isinstance(queue, Queue) and queue.entries}

    def recounted(self) -> dict[int, int]:
        """The same, as the store has it."""
        queues = self.world.node.queues
        return dict(
            Counter(
                each.queue_id
                for each in self.world.store.tables.entries()
                if isinstance(queues.get(each.queue_id), Queue)
            )
        )

    def _revision(self, path: str) -> str:
        name = "joe" if "joe~1" in path else "jack"
        queue = self.clients[name].session.queue
        return f'"{queue.entered}-{queue.entered - queue.entries}"'


@pytest.mark.parametrize("seed", range(25))
def test_each_message_is_in_one_place_whatever_meets(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_control, "SLICE", 2)
    monkeypatch.setattr(queue_control, "READ_AT_ONCE", 3)
    monkeypatch.setattr(dead_messages, "BETWEEN_TURNS", 2)
    race = Race(seed)
    begun = race.run()
    places = race.places()
    assert places == Counter(str(number) for number in range(MESSAGES)), begun
    assert race.counted() == race.recounted(), begun
