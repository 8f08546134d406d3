from __future__ import annotations

import pytest

from broker.errors import BrokerError, Code
from broker.xml import NameBudget
from broker.xml.names import UNKNOWN


def test_known_names_are_free_when_the_budget_is_used_up() -> None:
    budget = NameBudget(2)
    for name in ("a", "b", "a", "b"):
        budget.admit(name)
    with pytest.raises(BrokerError) as caught:
        budget.admit("c")
    assert caught.value.code is Code.RESOURCE_EXHAUST
    budget.admit("a")


def test_documents_leave_names_for_expressions() -> None:
    budget = NameBudget(4)
    names = [budget.known_as(name) for name in "abcd"]
    assert names == ["a", "b", UNKNOWN, UNKNOWN]
    budget.admit("c")
    assert budget.known_as("c") == "c"


def test_namespaces_are_counted_by_themselves() -> None:
    budget = NameBudget(8)
    for namespace in ("a", "b", "a"):
        budget.admit_namespace(namespace)
    with pytest.raises(BrokerError):
        budget.admit_namespace("c")
    budget.admit("c")
