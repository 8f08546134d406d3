"""Hands what arrives to the program, and says for each message what came of it."""

from __future__ import annotations

from collections.abc import Awaitable
from inspect import isawaitable

from twisted.logger import Logger

from broker.client.subscriptions import SubscriptionTable, UpdateCallback
from broker.client.values import Update
from broker.errors import BrokerError, Code
from broker.native.wire.frames import Unit

log = Logger()


class UpdateTaker:
    """Calls the callbacks.

    Args:
        subscriptions: with their callbacks.
        default: takes what no subscription's own callback takes.
    """

    def __init__(self, subscriptions: SubscriptionTable, default: UpdateCallback | None) -> None:
        self._subscriptions = subscriptions
        self._default = default

    async def take(self, units: list[Unit]) -> list[BrokerError | None]:
        """Hand out the messages of one update, one after the other; one that is refused does not keep others back.

        Args:
            units: in the order of the update.

        Returns:
            For each of them why it was refused, or ``None``. After one that asks for a pause (``user.update.holdback``,
            ``communication``) none is handed out, and all are refused with it: the broker keeps these.
        """
        outcomes: list[BrokerError | None] = []
        for unit in units:
            error = await self._take(unit)
            outcomes.append(error)
            if error is not None and (error.is_communication or error.code == Code.USER_UPDATE_HOLDBACK):
                return outcomes + [error] * (len(units) - len(outcomes))
        return outcomes

    async def _take(self, unit: Unit) -> BrokerError | None:
        try:
            update = Update.of(unit)
            callback = await self._subscriptions.taker(update, self._default)
            result = None if callback is None else callback(update)
            if isawaitable(result):
                awaited: Awaitable[object] = result
                await awaited
        except BrokerError as error:
            return error
        except Exception as error:  # noqa: BLE001 - whatever a callback raises refuses its message
            log.failure("an update was not taken")
            return BrokerError(Code.USER_UPDATE_ERROR, str(error))
        return None
