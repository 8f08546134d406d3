"""The strategies say every field: a field that they leave out would not be missed where it is not written."""

from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import Phase, find, settings
from hypothesis.strategies import SearchStrategy

from broker.model.qos import PublishQos, QueryQos, UpdateQos
from tests.native.codec.strategies import publishes, queries, updates


@pytest.mark.parametrize(
    ("strategy", "default", "field"),
    [
        pytest.param(strategy, default, field.name, id=f"{type(default).__name__}.{field.name}")
        for strategy, default in ((publishes, PublishQos()), (queries, QueryQos()), (updates, UpdateQos(PublishQos())))
        for field in fields(default)
    ],
)
def test_every_field_takes_other_values_than_its_default(
    strategy: SearchStrategy[object], default: object, field: str
) -> None:
    quick = settings(max_examples=500, phases=[Phase.generate], database=None, deadline=None)
    find(strategy, lambda value: getattr(value, field) != getattr(default, field), settings=quick)
