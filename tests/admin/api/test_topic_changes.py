"""Changes of topics over HTTP."""

from __future__ import annotations

import pytest

from tests.admin.api.office import ChangeOffice


def with_topic() -> ChangeOffice:
    """joe has published on a topic, ann has not taken what she gets of it."""
    office = ChangeOffice()
    joe, ann = office.world.client("joe/1"), office.world.client("ann/1", answers=False)
    ann.subscribe("news")
    for _ in range(3):
        joe.publish("news", b"x")
    return office


@pytest.mark.parametrize(("query", "forced"), [("", False), ("?forceDestroy=true", True)])
def test_topic_is_erased_and_what_queues_hold_of_it_where_that_is_asked_for(query: str, forced: bool) -> None:
    office = with_topic()
    answer = office.ask(f"topics/news{query}", "DELETE")
    assert (answer.status, answer.json) == (200, {"entries": 3})
    assert "news" not in office.world.node.topics
    assert ("news" in office.world.node.erased) is forced
    ann = office.world.node.subjects["ann"].sessions[1]
    assert ann.queue.entries == (2 if forced else 4)  # one is on its way, and one tells of the end


def test_history_is_emptied_and_the_topic_stays() -> None:
    office = with_topic()
    assert office.post("topics/news/history/clear", {"reason": "old"}).json == {"entries": 3}
    assert len(office.world.node.topics["news"].history) == 0
    assert [(row.action, row.target) for row in office.rows()] == [("topic.clearHistory", "topics/news")]


def test_topic_that_is_not_there_is_told() -> None:
    assert ChangeOffice().ask("topics/nothing", "DELETE").status == 404
    assert ChangeOffice().post("topics/nothing/history/clear").status == 404


def test_flag_that_is_none_changes_nothing() -> None:
    office = with_topic()
    assert office.ask("topics/news?forceDestroy=yes", "DELETE").status == 400
    assert "news" in office.world.node.topics
