"""Quotas: what one account uses of what it may, counted where it is used, whatever the tongue.

An account is a login name. It may use something new as long as it is below the quota; what is there already, also what
recovery finds, stays. Administrators have no quotas, nor have the broker's own topics and messages.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields
from weakref import WeakValueDictionary

from broker.errors import BrokerError, Code

UNLIMITED = 2**62


@dataclass(frozen=True, slots=True)
class QuotaLimits:
    """What each account may use.

    Args:
        forced: sessions and login names that its messages make by ``forceQueuing`` and nobody has logged in to.
        subscriptions: of all its sessions together.
        matches: topics that its subscriptions with a query have, each counted for each subscription that has it.
        topics: that it has made, or that belong to it.
        queue_bytes: that wait in all its queues together, and in those that its messages made by ``forceQueuing``.
        history_bytes: in the histories of its topics together.
        unfinished_bytes: of requests whose end has not come yet, on all its connections together.
        waiting_bytes: of requests that have come over all its connections together, and are not served.
        unread_bytes: that were written to all its connections together, on top of full buffers, and not taken.
    """

    forced: int = 1000
    subscriptions: int = 50_000
    matches: int = 1_000_000
    topics: int = 10_000
    queue_bytes: int = 1 << 30
    history_bytes: int = 1 << 30
    unfinished_bytes: int = 1 << 28
    waiting_bytes: int = 1 << 28
    unread_bytes: int = 1 << 28


NO_LIMITS = QuotaLimits(*[UNLIMITED for _ in fields(QuotaLimits)])


class Usage:
    """What one account uses. Whatever uses something holds it, and counts here what it uses.

    Args:
        account: login name; empty for the broker itself.
        limits: of the account.

    Attributes:
        forced: see :class:`QuotaLimits`, as of the others.
        max_queue_bytes: of the limits, for those who ask with every message.
        max_history_bytes: likewise.
    """

    __slots__ = (
        "__weakref__",
        "account",
        "forced",
        "history_bytes",
        "limits",
        "matches",
        "max_history_bytes",
        "max_queue_bytes",
        "queue_bytes",
        "subscriptions",
        "topics",
        "unfinished_bytes",
        "unread_bytes",
        "waiting_bytes",
    )

    def __init__(self, account: str = "", limits: QuotaLimits = NO_LIMITS) -> None:
        self.account = account
        self.limits = limits
        self.max_queue_bytes = limits.queue_bytes
        self.max_history_bytes = limits.history_bytes
        self.forced = 0
        self.subscriptions = 0
        self.matches = 0
        self.topics = 0
        self.queue_bytes = 0
        self.history_bytes = 0
        self.unfinished_bytes = 0
        self.unread_bytes = 0
        self.waiting_bytes = 0

    def change(self, limits: QuotaLimits) -> None:
        """Have other limits from now on."""
        self.limits = limits
        self.max_queue_bytes = limits.queue_bytes
        self.max_history_bytes = limits.history_bytes

    def check_forced(self) -> None:
        """Refuse to make one more session or login name for a message; raises as :meth:`check_topics`."""
        self._check(self.forced, self.limits.forced, "sessions and login names made by forceQueuing")

    def check_subscriptions(self) -> None:
        """Refuse one more subscription; raises as :meth:`check_topics`."""
        self._check(self.subscriptions, self.limits.subscriptions, "subscriptions")

    def check_matches(self, more: int) -> None:
        """Refuse a subscription with a query; raises as :meth:`check_topics`.

        Args:
            more: topics that its query selects.
        """
        if more > self.free_matches:
            raise BrokerError(
                Code.RESOURCE_EXHAUST,
                f"the queries of {self.account} select {self.matches} topics already, one for each subscription that "
                f"has it; with {more} more they are over the limit of {self.limits.matches}",
            )

    @property
    def free_matches(self) -> int:
        """Topics that its subscriptions with a query may have in addition."""
        return self.limits.matches - self.matches

    def check_topics(self) -> None:
        """Refuse one more topic.

        Raises:
            BrokerError: ``resource.exhaust`` where the account has as many as it may.
        """
        self._check(self.topics, self.limits.topics, "topics")

    def check_history(self, freed: int) -> None:
        """Refuse a message that a history is to keep.

        Args:
            freed: bytes that the history has, which can make room for it.

        Raises:
            BrokerError: ``resource.overflow.queue.bytes`` where the account's histories hold as much as they may.
        """
        if self.history_bytes - freed >= self.max_history_bytes:
            raise BrokerError(
                Code.RESOURCE_OVERFLOW_BYTES,
                f"the histories of the topics of {self.account} hold {self.history_bytes} of at most "
                f"{self.max_history_bytes} bytes",
            )

    def check_unfinished(self) -> None:
        """Refuse what has come of requests whose end has not come.

        Raises:
            BrokerError: ``resource.exhaust`` where it is more than the account may leave unfinished.
        """
        if self.unfinished_bytes > self.limits.unfinished_bytes:
            raise BrokerError(
                Code.RESOURCE_EXHAUST,
                f"the connections of {self.account} have sent {self.unfinished_bytes} bytes of requests without their "
                f"end; {self.limits.unfinished_bytes} are allowed",
            )

    @property
    def has_too_many_waiting(self) -> bool:
        """Whether so many bytes of its requests wait that nothing more is read from those connections."""
        return self.waiting_bytes > self.limits.waiting_bytes

    def count_unread(self, change: int) -> str:
        """See :class:`broker.net.unread.UnreadTotal`."""
        self.unread_bytes += change
        if change <= 0 or self.unread_bytes <= self.limits.unread_bytes:
            return ""
        return (
            f"the connections of {self.account} have not taken {self.unread_bytes} bytes on top of their buffers; "
            f"{self.limits.unread_bytes} are allowed"
        )

    @property
    def rows(self) -> list[tuple[str, int, int]]:
        """Each quota's name, what is used, and what may be."""
        return [(each.name, getattr(self, each.name), getattr(self.limits, each.name)) for each in fields(QuotaLimits)]

    def _check(self, used: int, most: int, what: str) -> None:
        if used >= most:
            raise BrokerError(Code.RESOURCE_EXHAUST, f"{self.account} has {used} {what}, the most that are allowed")


class Forced:
    """Counts a session or login name for the account whose message made it, until somebody logs in or it is gone."""

    __slots__ = ("_usage",)

    def __init__(self) -> None:
        self._usage: Usage | None = None

    def begin(self, usage: Usage) -> None:
        """Count it for an account."""
        self._usage = usage
        usage.forced += 1

    def end(self) -> None:
        """Count it no more."""
        usage, self._usage = self._usage, None
        if usage is not None:
            usage.forced -= 1


class Quotas:
    """The usage of every account that uses anything.

    Args:
        limits: of each account.
        administrators: login names that have no limits.
    """

    def __init__(self, limits: QuotaLimits, administrators: Collection[str]) -> None:
        self._limits = limits
        self._administrators = administrators
        self._usages: WeakValueDictionary[str, Usage] = WeakValueDictionary()

    def of(self, account: str) -> Usage:
        """What an account uses; the same object as long as anything holds it."""
        usage = self._usages.get(account)
        if usage is None:
            limits = NO_LIMITS if account in self._administrators else self._limits
            usage = self._usages[account] = Usage(account, limits)
        return usage

    def change(self, limits: QuotaLimits) -> None:
        """Have other limits from now on, also for those who use more already: they get nothing more."""
        self._limits = limits
        for usage in self._usages.values():
            if usage.account not in self._administrators:
                usage.change(limits)

    def all(self) -> list[Usage]:
        """Of every account that uses something, by login name."""
        using = [usage for usage in self._usages.values() if any(used for _, used, _ in usage.rows)]
        return sorted(using, key=lambda usage: usage.account)
