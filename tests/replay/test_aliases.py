from __future__ import annotations

from tests.replay.aliases import Aliases

RECORDED = b"<qos><session name='/node/heron/client/joe/-2' sessionId='sessionId:old'/></qos>"
OURS = b"<qos><session name='/node/heron/client/joe/-17' sessionId='new'/></qos>"


def learned() -> Aliases:
    aliases = Aliases()
    aliases.learn(RECORDED, OURS)
    return aliases


def test_nothing_is_replaced_before_something_was_learned() -> None:
    assert Aliases().translate(b"sessionId:old") == b"sessionId:old"


def test_a_session_id_is_replaced() -> None:
    assert learned().translate(b"sessionId:old") == b"new"


def test_a_session_name_is_replaced_in_its_absolute_and_relative_form() -> None:
    sent = b"<destination>/node/heron/client/joe/-2</destination><destination>client/joe/-2</destination>"
    expected = b"<destination>/node/heron/client/joe/-17</destination><destination>client/joe/-17</destination>"

    assert learned().translate(sent) == expected


def test_an_id_that_begins_like_another_one_is_not_replaced() -> None:
    assert learned().translate(b"client/joe/-21") == b"client/joe/-21"


def test_a_subscription_id_is_replaced_in_the_key_that_ends_it() -> None:
    aliases = Aliases()
    aliases.learn(
        b"<qos><subscribe id='__subId:1795217454683000000'/></qos>", b"<qos><subscribe id='__subId:7'/></qos>"
    )

    assert aliases.translate(b"<key oid='__subId:1795217454683000000'/>") == b"<key oid='__subId:7'/>"


def test_a_later_answer_wins() -> None:
    aliases = learned()
    aliases.learn(RECORDED, OURS.replace(b"'new'", b"'newer'"))

    assert aliases.translate(b"sessionId:old") == b"newer"


def test_empty_answers_teach_nothing() -> None:
    aliases = Aliases()
    aliases.learn(b"", b"<qos/>")

    assert aliases.translate(b"<qos/>") == b"<qos/>"
