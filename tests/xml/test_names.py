from __future__ import annotations

import pytest

from broker.errors import BrokerError, Code
from broker.xml.names import UNKNOWN, NameBudget


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


def test_an_account_brings_a_share_of_the_names_only() -> None:
    budget = NameBudget(20, shares=10)
    with budget.paid_by("joe"):
        budget.admit("a")
        budget.admit("b")
        with pytest.raises(BrokerError) as caught:
            budget.admit("c")
        assert budget.known_as("c") == UNKNOWN
        budget.admit("a")
    assert caught.value.code is Code.RESOURCE_EXHAUST
    with budget.paid_by("mary"):
        budget.admit("c")
    budget.admit("d")


def test_an_account_brings_a_share_of_the_namespaces_only() -> None:
    budget = NameBudget(80, shares=20)
    with budget.paid_by("joe"):
        budget.admit_namespace("a")
        with pytest.raises(BrokerError):
            budget.admit_namespace("b")
        budget.admit("b")  # names are counted by themselves
    with budget.paid_by("mary"):
        budget.admit_namespace("b")
