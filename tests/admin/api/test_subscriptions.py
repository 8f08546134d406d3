"""Subscriptions over HTTP, and why they get what is published."""

from __future__ import annotations

from typing import Any

import pytest

from broker.admin.api.subscriptions import subscription_operations
from tests.admin.api.desk import Desk
from tests.core.world import World
from tests.net.http.conversation import Received

SQL = "<filter type='Sql92Filter'>temp &gt; 30</filter>"


class Bureau:
    """joe/1 has a filter on the weather, jack/1 an expression, and ann/1 publishes."""

    def __init__(self) -> None:
        self.world = World()
        self.desk = Desk(self.world)
        self.ann = self.world.client("ann/1")
        self.publish = lambda: self.ann.publish("weather", b"x", key="<key oid='weather'><city>Bern</city></key>")
        self.publish()
        self.joe, self.jack = self.world.client("joe/1"), self.world.client("jack/1")
        self.joe.subscribe(key=f"<key oid='weather'>{SQL}</key>")
        self.jack.subscribe(key="<key queryType='XPATH'>//city[.='Rome']</key>")

    def ask(self, path: str, method: str = "GET", body: object = None) -> Received:
        """Ask."""
        return self.desk.ask(subscription_operations(self.desk.instance), f"/api/v1/{path}", method, body)

    def explain(self, **body: Any) -> Any:
        """Explain a subscription for the weather."""
        answer = self.ask("subscriptions/explain", "POST", {"topic": "weather", **body})
        assert answer.status == 200, answer.body
        return answer.json


def test_subscriptions_are_listed_and_told() -> None:
    bureau = Bureau()
    jack, joe = bureau.ask("subscriptions").json["items"]
    assert (jack["session"], jack["kind"], jack["query"], jack["topics"]) == ("jack/1", "XPATH", "//city[.='Rome']", 0)
    assert (joe["session"], joe["kind"], joe["query"], joe["topics"]) == ("joe/1", "EXACT", "weather", 1)
    assert joe["filters"] == [{"type": "Sql92Filter", "query": "temp > 30"}]
    assert bureau.ask(f"subscriptions/{joe['id']}").json == joe
    assert bureau.ask("subscriptions/nothing").status == 404


@pytest.mark.parametrize(
    ("query", "names"),
    [("kind=XPATH", ["jack/1"]), ("session=joe*", ["joe/1"]), ("query=weather", ["joe/1"]), ("persistent=true", [])],
)
def test_subscriptions_are_filtered(query: str, names: list[str]) -> None:
    assert [row["session"] for row in Bureau().ask(f"subscriptions?{query}").json["items"]] == names


@pytest.mark.parametrize(("temp", "delivers"), [(31, True), (30, False), (30.5, True), ("31", False)])
def test_filter_that_decides_is_told(temp: object, delivers: bool) -> None:
    bureau = Bureau()
    told = bureau.explain(session="joe/1", message={"properties": {"temp": temp}, "contentText": "hot"})
    assert (told["delivers"], told["session"], told["topic"]) == (delivers, "joe/1", "weather")
    (step,) = [step for step in told["steps"] if step["check"] == "filter"]
    assert step["outcome"] == ("pass" if delivers else "fail")
    assert step["detail"] == "Sql92Filter: temp > 30"
    assert "microseconds" in step


def test_subscription_is_named_by_its_id_or_its_session() -> None:
    bureau = Bureau()
    id = next(iter(bureau.jack.session.subscriptions))
    told = bureau.explain(subscription=id)
    assert told == bureau.explain(session="jack/1")
    assert (told["delivers"], told["subscription"]) == (False, id)
    assert [step["check"] for step in told["steps"] if step["outcome"] == "fail"] == ["query"]


def test_best_subscription_of_a_session_is_explained() -> None:
    bureau = Bureau()
    bureau.jack.subscribe("weather")
    assert bureau.explain(session="jack/1")["delivers"]


def test_query_that_nobody_has_is_explained_without_anything_being_made() -> None:
    bureau = Bureau()
    assert bureau.explain(session="jack/1", query={"xpath": "//city[.='Bern']"})["delivers"]
    assert not bureau.explain(session="jack/1", query={"xpath": "//city[.='Oslo']"})["delivers"]
    assert not bureau.explain(session="jack/1", query={"domain": "sport"})["delivers"]
    assert len(bureau.world.node.subscriptions) == 2


def test_receivers_of_a_topic_are_told_and_those_that_are_none_with_the_reason() -> None:
    bureau = Bureau()
    jack, joe = bureau.ask("topics/weather/receivers").json["items"]
    assert (joe["session"], joe["delivers"]) == ("joe/1", True)
    assert (jack["session"], jack["delivers"], jack["check"]) == ("jack/1", False, "query")
    assert bureau.ask("topics/nothing/receivers").status == 404
    assert bureau.ask("topics/weather/receivers?kind=EXACT").json["page"]["matched"] == 1


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/session"),
        ({"session": "nobody/1"}, "/session"),
        ({"session": "ann/1"}, "/session"),
        ({"subscription": "x"}, "/subscription"),
        ({"session": "joe/1", "query": {}}, "/query"),
        ({"session": "joe/1", "query": {"xpath": "//["}}, "/query"),
        ({"session": "joe/1", "message": {"contentBase64": "?"}}, "/message/contentBase64"),
        ({"session": "joe/1", "message": {"sender": "nobody/1"}}, "/message/sender"),
        ({"session": "joe/1", "colour": "red"}, ""),
    ],
)
def test_body_that_cannot_be_used_is_refused(body: dict[str, Any], pointer: str) -> None:
    answer = Bureau().ask("subscriptions/explain", "POST", {"topic": "weather", **body})
    assert (answer.status, answer.json["errors"][0]["pointer"]) == (400, pointer)
