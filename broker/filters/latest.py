"""A memory of one result, for work that is repeated for every subscriber of a message."""

from __future__ import annotations

from collections.abc import Callable
from typing import Concatenate, Generic, ParamSpec, TypeVar

Subject = TypeVar("Subject")
Result = TypeVar("Result")
Details = ParamSpec("Details")


class Latest(Generic[Subject, Details, Result]):
    """A function that remembers its last result, and knows its argument by identity.

    A message is matched against all its subscribers before the next one is, so one place is enough for one computation
    a message. The last argument and result stay alive until the next call.

    Args:
        function: the computation; it must not raise.
    """

    __slots__ = ("_function", "_result", "_subject")

    def __init__(self, function: Callable[Concatenate[Subject, Details], Result]) -> None:
        self._function = function
        self._subject: Subject | None = None
        self._result: Result | None = None

    def __call__(self, subject: Subject, *details: Details.args, **named: Details.kwargs) -> Result:
        """The result for ``subject``.

        Args:
            subject: first argument of the function.
            details: its other arguments, which are the same for the same subject.
            named: likewise.
        """
        if self._result is None or subject is not self._subject:
            self._result = self._function(subject, *details, **named)
            self._subject = subject
        return self._result
