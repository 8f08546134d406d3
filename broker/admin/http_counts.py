"""How many requests of administration were answered, and how long that took."""

from __future__ import annotations

from http import HTTPStatus

from broker.histogram import Histogram
from broker.net.http.routes import Cost, Route

BOUNDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0)
CLASSES = {Cost.CONSTANT: "read", Cost.SCAN: "scan", Cost.STORE: "content", Cost.HEAVY: "heavy"}
CHANGE = "change"
STATUSES = ("2xx", "4xx", "5xx")


class HttpCounts:
    """Counts answers.

    Attributes:
        answers: by the class of the request and that of the status.
        seconds: that answers took, by the class of the request.
    """

    def __init__(self) -> None:
        classes = (*CLASSES.values(), CHANGE)
        self.answers = {(each, status): 0 for each in classes for status in STATUSES}
        self.seconds = {each: Histogram(BOUNDS) for each in classes}

    def __call__(self, route: Route | None, status: HTTPStatus, seconds: float) -> None:
        """Count an answer; a request that has got to no route was cheap to read."""
        if route is not None and route.method != "GET":
            kind = CHANGE
        else:
            kind = CLASSES[Cost.CONSTANT if route is None else route.cost]
        self.answers[kind, f"{status // 100}xx"] += 1
        self.seconds[kind].observe(seconds)
