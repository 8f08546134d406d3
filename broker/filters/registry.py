"""The filter types that a subscriber may name (spec xmlblaster §12.1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

from broker.errors import BrokerError, Code
from broker.filters.candidate import Candidate, Predicate
from broker.filters.regex import compile_regex
from broker.filters.size import compile_size
from broker.filters.sql92 import compile_sql92
from broker.filters.xpath import compile_xpath
from broker.model.key import Filter

MAX_FILTERS = 32
"""Filters that one query may combine."""

MAX_TEXT = 4096
"""Characters that the text of one filter may have."""

CACHED_FILTERS = 1024
VERSIONS = ("", "1.0")

TYPES: dict[str, Callable[[str], Predicate]] = {
    "GnuRegexFilter": compile_regex,
    "regex": compile_regex,
    "ContentLenFilter": compile_size,
    "size": compile_size,
    "XPathFilter": compile_xpath,
    "xpath": compile_xpath,
    "Sql92Filter": compile_sql92,
    "sql92": compile_sql92,
}
"""Type -> compiler; native clients know the names that end in ``Filter``."""


def compile_filter(filter: Filter) -> Predicate:
    """Compile one filter. Equal filters share one predicate.

    Raises:
        BrokerError: ``resource.configuration.pluginFailed`` for an unknown type or version, ``user.query.invalid`` for
            a text that is too long or that the filter does not understand.
    """
    return _compile(filter.type, filter.version, filter.query)


def compile_filters(filters: Sequence[Filter]) -> Predicate | None:
    """Compile the filters of one query into a predicate that all of them must let pass; ``None`` without any.

    Raises:
        BrokerError: as :func:`compile_filter`, and ``user.query.invalid`` for more than :data:`MAX_FILTERS`.
    """
    if len(filters) > MAX_FILTERS:
        raise BrokerError(Code.USER_QUERY_INVALID, f"A query takes {MAX_FILTERS} filters, not {len(filters)}.")
    predicates = tuple(compile_filter(filter) for filter in filters)
    if len(predicates) <= 1:
        return predicates[0] if predicates else None

    def all_pass(candidate: Candidate) -> bool:
        return all(predicate(candidate) for predicate in predicates)

    return all_pass


@lru_cache(CACHED_FILTERS)
def _compile(type: str, version: str, text: str) -> Predicate:
    compiler = TYPES.get(type)
    if compiler is None or version not in VERSIONS:
        raise BrokerError(
            Code.RESOURCE_CONFIGURATION_PLUGIN_FAILED,
            f"There is no filter of type '{type[:64]}' and version '{version[:64]}'.",
        )
    if len(text) > MAX_TEXT:
        raise BrokerError(Code.USER_QUERY_INVALID, f"The text of a filter is limited to {MAX_TEXT} characters.")
    # Clients put the text on a line of its own within the element.
    return compiler(text.strip())
