"""Native clients that publish, and note what was acknowledged."""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Callable
from dataclasses import replace

from broker.client import BlockingClient, ConnectOptions, PublishOptions, State
from broker.errors import BrokerError
from tests.campaign.checks import Failed, Sent
from tests.system.launcher import BrokerProcess, LaunchError, wait_until

RETRY = 0.05
"""Seconds between two attempts of a client to come back."""
QUEUED_PAUSE = 0.02
"""Seconds that a publisher waits where its messages wait in the client, so as not to fill its memory."""
ENDING = 60.0
"""Seconds that a publisher may take to end."""


def sender(broker: BrokerProcess) -> BlockingClient:
    """A client that publishes, and comes back by itself."""
    client = BlockingClient(*broker.address(), ConnectOptions("joe", "secret", callbacks=False), delay=RETRY)
    client.connect()
    return client


class Publisher(threading.Thread):
    """Publishes to one topic, one request after the other, until it is stopped.

    Args:
        broker: that is killed.
        oid: the topic.
        options: of the messages.
        chance: decides how many are in a request, and their priority.
        most: messages in one request.
        priorities: to choose from.
        pace: seconds between two requests.
        oneway: without an answer; nothing is promised then.

    Attributes:
        pace: see above; may be changed.
        padding: blanks behind each content, in bytes; may be changed.
        sent: in order.
        refused: codes of the broker's refusals, with how often each came.
    """

    def __init__(
        self,
        broker: BrokerProcess,
        oid: str,
        options: PublishOptions,
        chance: random.Random,
        *,
        most: int = 1,
        priorities: tuple[int, ...] = (5,),
        pace: float = 0.004,
        oneway: bool = False,
    ) -> None:
        super().__init__(daemon=True, name=f"publisher of {oid}")
        self.oid = oid
        self.sent: list[Sent] = []
        self.refused: dict[str, int] = {}
        self.pace = pace
        self._options = options
        self._chance = chance
        self._most = most
        self._priorities = priorities
        self._oneway = oneway
        self.padding = 0
        self._stopped = threading.Event()
        self._numbers = itertools.count()
        self._client = sender(broker)

    @property
    def acknowledged(self) -> int:
        """How many messages."""
        return sum(1 for each in self.sent if each.id)

    def run(self) -> None:
        while not self._stopped.wait(self.pace):
            count = self._chance.randint(1, self._most)
            texts = [f"{self.oid} {next(self._numbers)}" for _ in range(count)]
            try:
                ids = self._publish(texts)
            except BrokerError as error:
                self.refused[str(error.code)] = self.refused.get(str(error.code), 0) + 1
                ids = [0] * count
                self._stopped.wait(QUEUED_PAUSE)
            self.sent.extend(map(Sent, texts, ids))

    def stop(self) -> None:
        """Publish no more, once what waits in the client has been sent.

        Raises:
            Failed: the client has given up.
        """
        self._stopped.set()
        self.join(ENDING)
        if self.is_alive():
            raise Failed(f"{self.oid}: a request to publish has no answer for {ENDING:.0f} s")
        _end(self._client, f"the publisher of {self.oid}; refused: {self.refused}")

    def _publish(self, texts: list[str]) -> list[int]:
        options = replace(self._options, priority=self._chance.choice(self._priorities))
        contents = [text + " " * self.padding for text in texts]
        if self._oneway:
            for content in contents:
                self._client.publish_oneway(self.oid, content, options)
            return [0] * len(texts)
        if len(contents) == 1:
            return [self._client.publish(self.oid, contents[0], options).received]
        return [each.received for each in self._client.publish_many([(self.oid, each) for each in contents], options)]


class Eraser(threading.Thread):
    """Makes topics with a message, and erases some of them.

    Args:
        broker: that is killed.
        chance: decides which.

    Attributes:
        kept: topics that were acknowledged and never to be erased.
        erased: topics whose erasure was acknowledged.
    """

    PAUSE = 0.05
    OPTIONS = PublishOptions(persistent=True)

    def __init__(self, broker: BrokerProcess, chance: random.Random) -> None:
        super().__init__(daemon=True, name="eraser")
        self.kept: list[str] = []
        self.erased: list[str] = []
        self._chance = chance
        self._stopped = threading.Event()
        self._client = sender(broker)

    def run(self) -> None:
        for number in itertools.count():
            if self._stopped.wait(self.PAUSE):
                break
            oid = f"passing-{number}"
            if self._client.state is not State.ALIVE or not self._made(oid):
                continue
            if self._chance.random() < 0.1:
                self.kept.append(oid)
            elif self._happens(lambda oid=oid: self._client.erase(oid, force=True)):  # type: ignore[misc]
                self.erased.append(oid)

    def _made(self, oid: str) -> bool:
        try:
            return self._client.publish(oid, oid, self.OPTIONS).received > 0
        except BrokerError:
            return False

    def _happens(self, request: Callable[[], object]) -> bool:
        try:
            request()
        except BrokerError:
            return False
        return True

    def stop(self) -> None:
        """Make no more; raises as :meth:`Publisher.stop`."""
        self._stopped.set()
        self.join(ENDING)
        if self.is_alive():
            raise Failed(f"the eraser has no answer for {ENDING:.0f} s")
        _end(self._client, "the eraser")


def _end(client: BlockingClient, who: str) -> None:
    """Log out, behind everything that waited in the client."""
    try:
        wait_until(lambda: client.state is State.ALIVE, ENDING)
    except LaunchError:
        raise Failed(f"{client.state.value}: {who}") from None
    client.ping()
    client.disconnect()
