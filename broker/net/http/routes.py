"""The table of routes: which path and method is served by what, and who may use it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus

from broker.errors import Code
from broker.net.http.exchange import Handler
from broker.net.http.problem import Refused
from broker.net.http.target import SHOWN


class Cost(StrEnum):
    """What serving a route takes."""

    CONSTANT = "O(1)"
    SCAN = "scan"
    STORE = "store"
    HEAVY = "heavy"


@dataclass(frozen=True, slots=True)
class Route:
    """One operation.

    Args:
        method: ``GET``, which serves ``HEAD`` too, ``POST``, ``PUT``, ``PATCH`` or ``DELETE``.
        path: ``/api/v1/topics/{oid}``; a segment in braces is any one segment that is not empty.
        right: who may use it. The gate of the site knows what it means; it must not be empty.
        handler: serves it.
        cost: of serving it.
        summary: one sentence.
        max_body: bytes that a body may have; 0 for what the site has.
        may_be_long: whether a body that begins like this may have more than the site lets others have; without it that
            is up to the gate, which does not see it.
    """

    method: str
    path: str
    right: str
    handler: Handler
    cost: Cost = Cost.CONSTANT
    summary: str = ""
    max_body: int = 0
    may_be_long: Callable[[bytes], bool] | None = None

    def __post_init__(self) -> None:
        if not self.right:
            raise ValueError(f"{self.method} {self.path} says nobody who may use it")
        if not self.path.startswith("/"):
            raise ValueError(f"{self.path} does not begin with /")


_Shape = tuple[str | None, ...]
"""Segments of a path, ``None`` for any."""


class Router:
    """Finds routes.

    Args:
        routes: all of them.
        anywhere: serves all other paths; ``None`` where there is nothing.

    Raises:
        ValueError: two of them would serve the same requests.
    """

    def __init__(self, routes: Iterable[Route], anywhere: Route | None = None) -> None:
        self._routes = tuple(routes)
        self._anywhere = None if anywhere is None else {anywhere.method: anywhere}
        self._shapes: dict[int, dict[_Shape, dict[str, Route]]] = {}
        for route in self._routes:
            shape = tuple(None if is_parameter(each) else each for each in segments_of(route.path))
            methods = self._shapes.setdefault(len(shape), {}).setdefault(shape, {})
            if route.method in methods:
                raise ValueError(f"there are two routes for {route.method} {route.path}")
            methods[route.method] = route
        for number, shapes in self._shapes.items():  # a name beats a parameter, from the left
            ordered = sorted(shapes, key=lambda shape: tuple(each is None for each in shape))
            self._shapes[number] = {shape: shapes[shape] for shape in ordered}

    def __iter__(self) -> Iterator[Route]:
        return iter(self._routes)

    def find(self, method: str, segments: Sequence[str]) -> tuple[Route, Mapping[str, str]]:
        """The route of a request, and the parameters of its path.

        Args:
            method: of the request.
            segments: of the path, decoded.

        Raises:
            Refused: 404 where nothing has this path, 405 where it is not served by this method.
        """
        methods = self._methods(segments) or self._anywhere
        if methods is None:
            path = "/".join(["", *segments])
            raise Refused(HTTPStatus.NOT_FOUND, Code.USER_OID_UNKNOWN, f"there is nothing at {path[:SHOWN]}")
        route = methods.get("GET" if method == "HEAD" else method)
        if route is None:
            allowed = sorted([*methods, *(["HEAD"] if "GET" in methods else [])])
            raise Refused(
                HTTPStatus.METHOD_NOT_ALLOWED,
                Code.USER_WRONG_API_USAGE,
                f"this path is served by {', '.join(allowed)} only",
                headers=[("Allow", ", ".join(allowed))],
            )
        if methods is self._anywhere:
            return route, {}
        names = segments_of(route.path)
        return route, {name[1:-1]: segment for name, segment in zip(names, segments, strict=True) if is_parameter(name)}

    def _methods(self, segments: Sequence[str]) -> Mapping[str, Route] | None:
        for shape, methods in self._shapes.get(len(segments), {}).items():
            if all(bool(given) if name is None else name == given for name, given in zip(shape, segments, strict=True)):
                return methods
        return None


def segments_of(path: str) -> tuple[str, ...]:
    """The segments of a route's path."""
    return tuple(path[1:].split("/"))


def is_parameter(segment: str) -> bool:
    """Whether a segment of a route's path stands for any."""
    return segment.startswith("{") and segment.endswith("}")
