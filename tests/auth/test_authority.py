from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zope.interface.verify import verifyObject

from broker.auth.authority import MethodRules, PermitAll, parse_method_rules
from broker.errors import BrokerError, Code
from broker.ports import IAuthorizer

METHODS = [
    "connect",
    "disconnect",
    "get",
    "erase",
    "publish",
    "publishOneway",
    "subscribe",
    "unSubscribe",
    "update",
    "updateOneway",
    "ping",
]


def permitted(rules: str, target: str = "exact:Hello") -> set[str]:
    parsed = parse_method_rules(rules)
    return {method for method in METHODS if parsed.permits(method, target)}


def test_permit_all_permits_all() -> None:
    assert verifyObject(IAuthorizer, PermitAll())
    assert all(PermitAll().permits("joe", method, "exact:Hello") for method in METHODS)


@pytest.mark.parametrize("rules", ["", "  "])
def test_no_list_permits_every_method(rules: str) -> None:
    assert permitted(rules) == set(METHODS)


def test_a_list_permits_its_methods_and_no_other() -> None:
    assert permitted("connect, disconnect ,publish") == {"connect", "disconnect", "publish"}


@pytest.mark.parametrize("rules", ["!erase", "! erase", " !erase "])
def test_a_negated_list_permits_every_other_method(rules: str) -> None:
    assert permitted(rules) == set(METHODS) - {"erase"}


def test_negation_is_of_the_whole_list() -> None:
    assert permitted("! subscribe,unSubscribe") == set(METHODS) - {"subscribe", "unSubscribe"}


def test_methods_are_recognised_whatever_their_case() -> None:
    assert permitted("UNSUBSCRIBE") == {"connect", "unSubscribe"}


def test_publish_arr_is_a_publish() -> None:
    assert permitted("publishArr") == {"connect", "publish"}
    assert parse_method_rules("publish").permits("publishArr", "exact:Hello")


def test_an_allowed_method_does_not_bring_its_oneway_form_but_a_forbidden_one_takes_it_along() -> None:
    assert permitted("publish,update") == {"connect", "publish", "update"}
    assert permitted("!publish,update") == set(METHODS) - {"publish", "publishOneway", "update", "updateOneway"}
    assert permitted("!publishOneway") == set(METHODS) - {"publishOneway"}


@pytest.mark.parametrize(
    ("topics", "target", "expected"),
    [
        ("tennis", "exact:tennis", True),
        ("tennis", "tennis", True),
        ("tennis", "exact:tennis2", False),
        ("tennis;sailing", "exact:sailing", True),
        (" tennis ; sailing ", "exact:sailing", True),
        ("tennis", "xpath://key", False),
        ("tennis", "domain:tennis", False),
        ("tennis", "", False),
        ("urn:x:tennis", "exact:urn:x:tennis", True),
        ('"exact:tennis"', "exact:tennis", True),
        ('"exact:urn:x"', "exact:urn:x", True),
        ('"tennis"', "exact:tennis", True),
        ("exact:tennis", "exact:tennis", True),
        ('"startsWith:weather."', "exact:weather.now", True),
        ('"startsWith:weather."', "exact:the.weather.now", False),
        ('"startswith:weather."', "exact:weather.now", True),
        ('"startsWith:weather."', "xpath:weather.", False),
        ('"endsWith:.now"', "exact:weather.now", True),
        ('"endsWith:.now"', "exact:weather.now.not", False),
        ('"domain:sport"', "domain:sport", True),
        ('"domain:sport"', "exact:sport", False),
        (
            "\"xpath:/xmlBlaster/key[starts-with(@oid,'a;b')]\"",
            "xpath:/xmlBlaster/key[starts-with(@oid,'a;b')]",
            True,
        ),
        ("\"xpath://key[@oid='a']\"", "xpath://key[@oid='b']", False),
    ],
)
def test_a_restricted_method_is_permitted_for_its_topics(topics: str, target: str, expected: bool) -> None:
    assert parse_method_rules(f"connect,subscribe({topics}),get").permits("subscribe", target) is expected
    assert parse_method_rules(f"connect,subscribe({topics}),get").permits("get", target)


@pytest.mark.parametrize(
    ("topics", "target", "expected"),
    [
        ("secret", "exact:secret", False),
        ("secret", "exact:public", True),
        ("secret", "xpath://key[@oid='secret']", False),
        ("secret", "domain:any", False),
        ("secret", "subscriptionId:__subId:1", False),
        ('"startsWith:secret."', "exact:secret.x", False),
        ('"domain:secret"', "domain:secret", False),
        ('"domain:secret"', "domain:public", True),
        ('"domain:secret"', "xpath://key", False),
        ('"xpath://key"', "xpath://key", False),
        ('"xpath://key"', "exact:public", True),
    ],
)
def test_what_is_forbidden_for_some_topics_is_not_open_to_queries_that_may_select_them(
    topics: str, target: str, expected: bool
) -> None:
    assert parse_method_rules(f"!subscribe({topics})").permits("subscribe", target) is expected
    assert parse_method_rules(f"!subscribe({topics})").permits("get", target)


def test_of_two_mentions_of_a_method_the_wider_one_counts() -> None:
    assert permitted("publish(a),publish(b)", "exact:b") == {"connect", "publish"}
    assert permitted("publish(a),publish", "exact:b") == {"connect", "publish"}
    assert permitted("publish,publishArr(a)", "exact:b") == {"connect", "publish"}


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        ("!", "a method is missing"),
        (",", "a method is missing"),
        ("connect,", "a method is missing"),
        ("fly", "'fly' is not a method"),
        ("connect publish", "',' is missing after 'connect'"),
        ("publish(a", "')' is missing"),
        ("publish(", "')' is missing"),
        ('publish("a', "a quote is not closed"),
        ('publish("a"b)', "followed by"),
        ("publish((a))", "followed by"),
        ("publish()", "a topic is missing"),
        ("publish(a;)", "a topic is missing"),
        ('publish("domain:")', "a topic is missing"),
        ('publish("regex:a.*")', "'regex' is not one of"),
        ("publish(a)x", "',' is missing"),
        ("!!erase", "a method is missing"),
    ],
)
def test_a_list_that_cannot_be_understood_is_an_error_with_a_reason(rules: str, reason: str) -> None:
    with pytest.raises(BrokerError) as refused:
        parse_method_rules(rules)
    assert refused.value.code == Code.RESOURCE_CONFIGURATION
    assert reason in refused.value.message


FRAGMENTS = st.lists(
    st.sampled_from([*METHODS, "(", ")", ";", ",", '"', "!", " ", "exact:", "startsWith:", "xpath:", "a", "b."])
).map("".join)


@given(st.one_of(st.text(), FRAGMENTS), st.sampled_from(METHODS), st.text())
def test_any_text_is_rules_or_an_error_and_rules_decide_any_target(text: str, method: str, target: str) -> None:
    try:
        rules = parse_method_rules(text)
    except BrokerError as error:
        assert error.code == Code.RESOURCE_CONFIGURATION
        return
    assert isinstance(rules.permits(method, target), bool)


@given(st.sets(st.sampled_from(METHODS), min_size=1))
def test_a_list_permits_exactly_what_it_names_and_to_log_in(names: set[str]) -> None:
    assert permitted(",".join(names)) == names | {"connect"}


def test_rules_without_methods_permit_everything() -> None:
    assert MethodRules().permits("connect", "")


def test_whoever_may_do_something_may_log_in_for_it_unless_that_is_forbidden() -> None:
    assert parse_method_rules("subscribe(tennis)").permits("connect", "")
    assert not parse_method_rules("! connect").permits("connect", "")
