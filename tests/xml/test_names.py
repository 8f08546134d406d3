from __future__ import annotations

import pytest

from broker.errors import BrokerError, Code
from broker.xml.names import UNKNOWN, NameBudget, NameLimits


def test_known_names_are_free_when_the_budget_is_used_up() -> None:
    budget = NameBudget(NameLimits(2))
    for name in ("a", "b", "a", "b"):
        budget.admit(name)
    with pytest.raises(BrokerError) as caught:
        budget.admit("c")
    assert caught.value.code is Code.RESOURCE_EXHAUST
    budget.admit("a")


def test_documents_leave_names_for_expressions() -> None:
    budget = NameBudget(NameLimits(4))
    names = [budget.known_as(name) for name in "abcd"]
    assert names == ["a", "b", UNKNOWN, UNKNOWN]
    budget.admit("c")
    assert budget.known_as("c") == "c"


def test_namespaces_are_counted_by_themselves() -> None:
    budget = NameBudget(NameLimits(8))
    for namespace in ("a", "b", "a"):
        budget.admit_namespace(namespace)
    with pytest.raises(BrokerError):
        budget.admit_namespace("c")
    budget.admit("c")


def test_an_account_brings_a_share_of_the_names_only() -> None:
    budget = NameBudget(NameLimits(20, 2))
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
    budget = NameBudget(NameLimits(80, 4))
    with budget.paid_by("joe"):
        budget.admit_namespace("a")
        with pytest.raises(BrokerError):
            budget.admit_namespace("b")
        budget.admit("b")  # names are counted by themselves
    with budget.paid_by("mary"):
        budget.admit_namespace("b")


def test_what_an_account_has_brought_is_told_beside_what_it_may() -> None:
    budget = NameBudget(NameLimits(80, 8))
    with budget.paid_by("joe"):
        budget.admit("a")
        budget.known_as("b")
        budget.admit_namespace("urn:a")
    assert budget.usage("joe") == [("xml_names", 2, 8), ("xml_namespaces", 1, 2)]
    assert budget.usage("mary") == [("xml_names", 0, 8), ("xml_namespaces", 0, 2)]


def test_limits_that_change_hold_for_what_is_new() -> None:
    budget = NameBudget(NameLimits(8, 8))
    with budget.paid_by("joe"):
        budget.admit("a")
        budget.admit("b")
        budget.limits = NameLimits(8, 1)
        budget.admit("a")
        with pytest.raises(BrokerError, match="joe has brought 2 distinct XML names since the start; 1 are allowed"):
            budget.admit("c")
