"""The grammar of administrative commands (spec xmlblaster §16.1)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.admin.address import MAX_CHARACTERS, Command, Kind, parse
from broker.errors import BrokerError, Code


@pytest.mark.parametrize(
    ("text", "kind", "name", "number", "attribute", "value"),
    [
        ("?freeMem", Kind.NODE, "", 0, "freeMem", None),
        ("/?freeMem", Kind.NODE, "", 0, "freeMem", None),
        ("/node/heron/?runlevel=6", Kind.NODE, "", 0, "runlevel", "6"),
        ("client/joe/?uptime", Kind.CLIENT, "joe", 0, "uptime", None),
        ("client/joe?uptime", Kind.CLIENT, "joe", 0, "uptime", None),
        ("/node/heron/client/joe/?uptime", Kind.CLIENT, "joe", 0, "uptime", None),
        ("client/joe/1/?cbQueueNumMsgs", Kind.SESSION, "joe", 1, "cbQueueNumMsgs", None),
        ("client/joe/-2/?killSession", Kind.SESSION, "joe", -2, "killSession", None),
        ("client/joe/session/1/?dispatcherActive=false", Kind.SESSION, "joe", 1, "dispatcherActive", "false"),
        ("client/joe/session/1/?addRemoteProperty=a&b=c", Kind.SESSION, "joe", 1, "addRemoteProperty", "a&b=c"),
        ("topic/Hello/?stateStr", Kind.TOPIC, "Hello", 0, "stateStr", None),
        ("topic/a/b/?stateStr", Kind.TOPIC, "a/b", 0, "stateStr", None),
        ("subscription/__subId:1/?topicId", Kind.SUBSCRIPTION, "__subId:1", 0, "topicId", None),
        ("sysprop/?user.home", Kind.PROPERTY, "", 0, "user.home", None),
        ("sysprop/?trace=", Kind.PROPERTY, "", 0, "trace", ""),
        ("logging/?org.xmlBlaster=FINE", Kind.LOGGING, "", 0, "org.xmlBlaster", "FINE"),
    ],
)
def test_forms(text: str, kind: Kind, name: str, number: int, attribute: str, value: str | None) -> None:
    for prefixed in (text, f"__cmd:{text}"):
        command = parse(prefixed, "heron")
        assert (command.kind, command.name, command.number) == (kind, name, number)
        assert (command.attribute, command.value) == (attribute, value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "has no '?attribute'"),
        ("client/joe/uptime", "has no '?attribute'"),
        ("?", "names no attribute"),
        ("? =1", "names no attribute"),
        ("/node/other/?freeMem", "this is node 'heron'"),
        ("clients/joe/?uptime", "'clients/joe' is not known"),
        ("client/joe/one/?uptime", "'client/joe/one' is not known"),
        ("client//?uptime", "'client/' is not known"),
        ("topic/?stateStr", "'topic' is not known"),
        ("sysprop/a/?b", "'sysprop/a' is not known"),
        (f"?{'a' * MAX_CHARACTERS}", "is longer than"),
    ],
)
def test_what_is_no_command_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(BrokerError, match=reason.replace("?", r"\?")) as raised:
        parse(text, "heron")
    assert raised.value.code == Code.USER_ILLEGAL_ARGUMENT
    assert len(raised.value.message) < 1000


def test_the_longest_command_may_name_its_node() -> None:
    longest = f"?{'a' * (MAX_CHARACTERS - 1)}"

    command = parse(longest, "heron")

    assert parse(command.address("heron"), "heron").attribute == command.attribute


def test_absolute_form_keeps_the_spelling_and_leaves_the_value_out() -> None:
    command = parse("__cmd:client/joe/session/1/?dispatcherActive=false", "heron")
    assert command.address("heron") == "/node/heron/client/joe/session/1/?dispatcherActive"
    assert command.oid == "__cmd:client/joe/session/1/?dispatcherActive"


def test_permissions_see_one_name_however_the_node_is_spelled() -> None:
    assert parse("__cmd:/node/heron/?freeMem", "heron").oid == parse("__cmd:?freeMem", "heron").oid


@given(st.text(alphabet="/?=&-abcdeilnopstx_:19 \n", max_size=40))
def test_any_text_is_a_command_or_refused(text: str) -> None:
    try:
        command = parse(text, "heron")
    except BrokerError as error:
        assert error.code == Code.USER_ILLEGAL_ARGUMENT
    else:
        assert command.attribute


@given(
    st.sampled_from(["", "client/joe/", "client/joe/session/-3/", "topic/a/b/", "subscription/__subId:1/", "sysprop/"]),
    st.text(alphabet="abc.XYZ-", min_size=1),
    st.none() | st.text(),
)
def test_absolute_form_means_the_same(context: str, attribute: str, value: str | None) -> None:
    def meaning(command: Command) -> tuple[object, ...]:
        return command.kind, command.name, command.number, command.attribute, command.value

    given = parse(f"{context}?{attribute}" + ("" if value is None else f"={value}"), "heron")
    absolute = given.address("heron") + ("" if value is None else f"={value}")
    assert meaning(parse(absolute, "heron")) == meaning(given)
