"""Requests that schemathesis makes of the description of an API, and what was wrong with the answers."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import schemathesis
from requests import Session
from requests.adapters import HTTPAdapter
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema
from schemathesis.engine.recorder import ScenarioRecorder
from schemathesis.schemas import BaseSchema

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "ignored_auth",
    "unsupported_method",
    "allow_header_conformance",
    "use_after_free",
)
"""Of schemathesis. ``positive_data_acceptance`` is not among them: what is asked of may not be there."""
PHASES = ("examples", "coverage", "fuzzing", "stateful")


@dataclass
class Outcome:
    """What came of a run.

    Args:
        failures: a text for each kind, with the request.
        statuses: how often each operation was answered with each status.
    """

    failures: dict[str, str] = field(default_factory=dict)
    statuses: dict[tuple[str, int], int] = field(default_factory=dict)

    @property
    def requests(self) -> int:
        """How many there were."""
        return sum(self.statuses.values())


def run_generated(
    document: dict[str, Any], adapter: HTTPAdapter, headers: dict[str, str], *, examples: int, phases: Collection[str]
) -> Outcome:
    """Send requests.

    Args:
        document: describes the API.
        adapter: sends them.
        headers: of each request, which say who asks.
        examples: requests of each operation, beside those that break a rule of it each.
        phases: of schemathesis.
    """
    config = SchemathesisConfig.from_dict(
        {
            "headers": headers,
            "seed": 1,
            "generation": {"max-examples": examples, "database": "none", "no-shrink": True},
            "checks": {"enabled": False, **{name: {"enabled": True} for name in CHECKS}},
            "phases": {name: {"enabled": name in phases} for name in PHASES},
            "base-url": "http://localhost",
        }
    )
    schema = schemathesis.openapi.from_dict(document, config=config)
    outcome = Outcome()
    with patch.object(Session, "get_adapter", lambda session, url: adapter):
        _execute(schema, outcome)
    return outcome


def _execute(schema: BaseSchema, outcome: Outcome) -> None:
    for event in from_schema(schema).execute():
        match event:
            case events.ScenarioFinished():
                outcome.failures.update(_failures_of(event.recorder))
                _count(event.recorder, outcome.statuses)
            case events.NonFatalError():
                outcome.failures[f"{event.label}: {event.value}"] = ""
            case events.FatalError():
                raise event.exception


def _failures_of(recorder: ScenarioRecorder) -> Iterator[tuple[str, str]]:
    for checks in recorder.checks.values():
        for check in checks:
            if check.failure_info is not None:
                failure = check.failure_info.failure
                yield (
                    f"{recorder.label}: {check.name}: {failure.title}",
                    (f"{failure.message}\n{check.failure_info.code_sample}"),
                )


def _count(recorder: ScenarioRecorder, statuses: dict[tuple[str, int], int]) -> None:
    for id, interaction in recorder.interactions.items():
        if interaction.response is not None:
            key = recorder.cases[id].value.operation.label, interaction.response.status_code
            statuses[key] = statuses.get(key, 0) + 1
