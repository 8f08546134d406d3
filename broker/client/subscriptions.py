"""Whose callback gets an update: the subscriptions of a session as the broker has confirmed them."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from broker.client.options import ConnectOptions, SubscribeOptions
from broker.client.request_queue import Request
from broker.client.values import Update
from broker.errors import BrokerError, Code
from broker.model.key import PTP_SUBSCRIPTION, SUBSCRIPTION_PREFIX, QueryKey

log = Logger()

UpdateCallback = Callable[[Update], object]
"""Called with each update; may return an awaitable. The update is acknowledged when it is done."""
MAX_ENDED = 10_000
"""Ended subscriptions that are remembered, because updates for them may be under way."""


class Subscription:
    """A subscription as it was asked for, to ask again where the broker does not know it any more."""

    def __init__(self, key: QueryKey, options: SubscribeOptions, callback: UpdateCallback | None) -> None:
        self.key = key
        self.options = options
        self.callback = callback


def wanted_id(options: ConnectOptions, subscription: Subscription) -> str:
    """The id that a subscription of a session with a number will have; others get theirs from the broker."""
    if not options.session:
        return ""
    return f"{SUBSCRIPTION_PREFIX}client/{options.user}/session/{options.session}-{subscription.key.url}"


class SubscriptionTable:
    """Subscriptions by id. The table changes when the broker has answered, not when the program asks."""

    def __init__(self) -> None:
        self._confirmed: dict[str, Subscription] = {}
        self._asked: dict[Subscription, str] = {}
        self._ending: dict[str, Request] = {}
        self._ended: dict[str, None] = {}
        self._missing: dict[Subscription, None] = {}
        self._waiting: list[Deferred[None]] = []

    def ask(self, subscription: Subscription, wanted: str) -> None:
        """A subscription is asked for.

        Args:
            subscription: not confirmed yet.
            wanted: the id that it will have, as far as it is known; an update may arrive before the answer.
        """
        self._asked[subscription] = wanted
        self._ended.pop(wanted, None)
        self._changed()

    def confirm(self, subscription: Subscription, id: str) -> None:
        """The broker has made a subscription."""
        self._asked.pop(subscription, None)
        self._confirmed[id] = subscription
        self._ended.pop(id, None)
        self._changed()

    def refuse(self, subscription: Subscription) -> None:
        """The broker has not made a subscription: what was there before stays as it was."""
        self._asked.pop(subscription, None)
        self._changed()

    def end_later(self, id: str, request: Request) -> None:
        """A request to end a subscription waits for a connection."""
        self._ending[id] = request

    def end(self, key: QueryKey, id: str = "") -> None:
        """The broker has ended the subscriptions of a query, or one by its id."""
        for known, subscription in list(self._confirmed.items()):
            if known == id or subscription.key == key:
                self._remove(known)
        self._ending.pop(id, None)
        self._changed()

    def forgotten(self) -> None:
        """The broker has forgotten the session: all subscriptions must be asked for again."""
        for id, request in self._ending.items():  # there is nothing to end any more
            request.abandon()
            self._remove(id)
        self._ending.clear()
        self._missing = dict.fromkeys(self._confirmed.values())

    @property
    def missing(self) -> list[Subscription]:
        """What the broker has forgotten and was not asked for again with an answer, over however many connections."""
        return list(self._missing)

    def give_up(self, subscription: Subscription) -> None:
        """The broker has refused a subscription that was asked for again."""
        self._missing.pop(subscription, None)

    def replace(self, subscription: Subscription, id: str) -> None:
        """A subscription that was asked for again has been made, maybe under another id."""
        self._missing.pop(subscription, None)
        known = [each for each, value in self._confirmed.items() if value is subscription]
        for each in known:
            if each != id:
                self._remove(each)
        if known:
            self.confirm(subscription, id)

    def clear(self) -> None:
        """The session is over."""
        self._confirmed.clear()
        self._ending.clear()
        self._missing.clear()

    def _remove(self, id: str) -> None:
        subscription = self._confirmed.pop(id, None)
        if subscription is not None:
            self._missing.pop(subscription, None)
            self._ended[id] = None
            if len(self._ended) > MAX_ENDED:
                del self._ended[next(iter(self._ended))]

    async def taker(self, update: Update, default: UpdateCallback | None) -> UpdateCallback | None:
        """The callback that gets an update; waits for one where only the program's next subscribe can tell.

        Args:
            update: that has arrived.
            default: takes what no subscription's own callback takes.

        Returns:
            ``None`` where the subscription has ended, so that nobody is interested any more.

        Raises:
            BrokerError: ``user.update.deadMessage`` where nobody will ever take it, ``communication.noConnection``
                where the connection is lost meanwhile.
        """
        id = update.subscription_id
        told = False
        while True:
            subscription = self._confirmed.get(id)
            if subscription is None:
                subscription = next((each for each, wanted in self._asked.items() if wanted == id), None)
            callback = subscription.callback if subscription is not None else None
            # A new subscription may get its first update before the answer that tells its id.
            unknown = subscription is None and any(not wanted for wanted in self._asked.values())
            if callback is not None:
                return callback
            if default is not None and not (unknown and id != PTP_SUBSCRIPTION):
                return default
            if subscription is None and id in self._ended:
                return None
            if id == PTP_SUBSCRIPTION:
                reason = f"this client takes no point-to-point messages, such as one on {update.oid}"
                raise BrokerError(Code.USER_UPDATE_DEAD_MESSAGE, reason)
            if not told:
                told = True
                log.warn("an update of {oid} waits until the program subscribes with a callback", oid=update.oid)
            await self._change()

    def connection_lost(self) -> None:
        """Updates that wait cannot be acknowledged any more; the broker delivers them again."""
        waiters, self._waiting = self._waiting, []
        for waiter in waiters:
            waiter.errback(BrokerError(Code.COMMUNICATION_NO_CONNECTION, "the connection was lost"))

    def _change(self) -> Deferred[None]:
        waiter: Deferred[None] = Deferred()
        self._waiting.append(waiter)
        return waiter

    def _changed(self) -> None:
        waiters, self._waiting = self._waiting, []
        for waiter in waiters:
            waiter.callback(None)
