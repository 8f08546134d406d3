"""What the filters of subscriptions say of one message."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from broker.core.waiting import Pending
from broker.errors import BrokerError, Code

if TYPE_CHECKING:
    from broker.core.pace import Pace
    from broker.core.subjects import Subject
    from broker.core.subscriptions import Subscription
    from broker.filters.candidate import Candidate, Predicate

FILTER_SECONDS = 0.1
"""Time of the processor that all filters of one login name may use on one message; then it is a dead message for those
that are left, so that filters of one client cost nobody much."""


class FilterCosts:
    """What filters cost so far.

    Attributes:
        seconds: of the processor; never falls.
    """

    __slots__ = ("seconds",)

    def __init__(self) -> None:
        self.seconds = 0.0


class Verdicts:
    """Asks filters, each once, and in several turns where all of them together take long.

    Args:
        processor_time: seconds that this thread has computed.
        pace: of the publish; ``None`` for the broker itself, which asks all of them at once.
        costs: are added to.
    """

    __slots__ = ("_costs", "_is_over", "_known", "_pace", "_processor_time", "_resumed", "_spent")

    def __init__(self, processor_time: Callable[[], float], pace: Pace | None, costs: FilterCosts) -> None:
        self._processor_time = processor_time
        self._pace = pace
        self._costs = costs
        self._is_over = False
        self._resumed = False
        self._known: dict[tuple[Subscription, Predicate | None], bool | BrokerError] = {}
        self._spent: dict[Subject, float] = {}

    def of(self, subscription: Subscription, message: Candidate) -> bool | BrokerError:
        """Whether a message passes, or why that cannot be told.

        Args:
            subscription: with filters.
            message: the same one each time, though the object may be another.

        Raises:
            Pending: others have their turns first; those that were asked are not asked again then.
        """
        pace = self._pace
        asked = subscription, subscription.accepts  # which may be others when it is asked the next time
        verdict = self._known.get(asked)
        if verdict is None:
            if pace is not None:
                if self._is_over:
                    self._is_over, self._resumed = False, True
                    raise Pending(pace.next_turn)
                if self._resumed:  # to come to the first that was not asked may have taken more than a slice
                    self._resumed = False
                    pace.begin()
            verdict = self._known[asked] = self._ask(subscription, message)
            self._is_over = pace is not None and pace.is_over  # seen here, so that each turn asks one at least
        return verdict

    def _ask(self, subscription: Subscription, message: Candidate) -> bool | BrokerError:
        accepts = subscription.accepts
        subject = subscription.session.subject
        used = self._spent.get(subject, 0.0)
        before = self._processor_time()
        try:
            if used > FILTER_SECONDS:
                return BrokerError(
                    Code.RESOURCE_EXHAUST, f"the filters of {subject.name} take too long on this message"
                )
            return accepts is None or accepts(message)
        except BrokerError as error:
            return error
        finally:
            spent = self._processor_time() - before
            self._spent[subject] = used + spent
            self._costs.seconds += spent
