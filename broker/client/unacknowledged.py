"""What the program handed over and the broker never acknowledged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from broker.errors import BrokerError, Code


@dataclass(frozen=True, slots=True)
class Unacknowledged:
    """A request, or one message of a publish, whose outcome at the broker is not known or is a refusal.

    Args:
        method: ``publish``, ``subscribe``, ``unSubscribe`` or ``erase``.
        oid: the topic, or what a query says instead.
        content: of a message.
        error: why it will not be sent any more; ``None`` where it still waits.
    """

    method: str
    oid: str
    content: bytes = field(default=b"", repr=False)
    error: BrokerError | None = None


class UnacknowledgedError(BrokerError):
    """Requests that were answered ``QUEUED`` were not acknowledged by the broker afterwards.

    Args:
        requests: which, in the order in which they were made.

    Attributes:
        requests: see above.
    """

    def __init__(self, requests: Sequence[Unacknowledged]) -> None:
        self.requests = tuple(requests)
        error = next((each.error for each in self.requests if each.error is not None), None)
        code = Code.COMMUNICATION_NO_CONNECTION if error is None else error.code
        why = "there is no answer yet" if error is None else error.message
        count = len(self.requests)
        what = "1 request was" if count == 1 else f"{count} requests were"
        super().__init__(code, f"{what} not acknowledged by the broker, the first on '{self.requests[0].oid}': {why}")
