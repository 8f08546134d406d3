"""Keeps schemathesis from ending what it asks by: the accounts and the tokens of those who ask stay as they are.

It is given to schemathesis by ``SCHEMATHESIS_HOOKS``.
"""

from __future__ import annotations

import os
from http import HTTPStatus
from typing import Any

import schemathesis
from schemathesis.core.failures import Failure
from schemathesis.openapi.checks import UseAfterFree

KEPT = "BROKER_KEPT"
"""Variable with names of accounts and ids of tokens, with commas between them."""
_kept = frozenset(os.environ.get(KEPT, "").split(","))


@schemathesis.hook
def filter_case(context: schemathesis.HookContext, case: schemathesis.Case[Any]) -> bool:
    """Whether a request may be sent."""
    return case.method in ("GET", "HEAD") or not _kept.intersection(map(str, (case.path_parameters or {}).values()))


@schemathesis.hook
def filter_failure(
    context: schemathesis.HookContext, failure: Failure, case: schemathesis.Case[Any], response: schemathesis.Response
) -> bool:
    """Whether something is a failure.

    A broker that is not well says so by 503, as to drain a listener has it. A property that is taken back has its
    former value, and is there.
    """
    if case.path.startswith("/health/"):
        return response.status_code != HTTPStatus.SERVICE_UNAVAILABLE
    return not (isinstance(failure, UseAfterFree) and case.path.startswith("/api/v1/properties/"))
