from __future__ import annotations

import pytest

from broker.errors import BrokerError, Code
from broker.xmlio import NameBudget


def test_known_names_are_free_when_the_budget_is_used_up() -> None:
    budget = NameBudget(2)
    for name in ("a", "b", "a", "b"):
        budget.admit(name)
    with pytest.raises(BrokerError) as caught:
        budget.admit("c")
    assert caught.value.code is Code.RESOURCE_EXHAUST
    budget.admit("a")
