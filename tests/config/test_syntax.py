"""Property files are read as Java reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.config.syntax import Setting, parse
from broker.errors import BrokerError, Code


def values(text: str) -> dict[str, str]:
    return {setting.name: setting.value for setting in parse(text, "x.properties")}


@pytest.mark.parametrize(
    "line",
    [
        "name=value",
        "name = value",
        "name:value",
        "name : value",
        "name value",
        "name\tvalue",
        "  name=value",
        "name\f=value",
    ],
)
def test_name_and_value_are_parted_by_equals_colon_or_blank(line: str) -> None:
    assert values(line) == {"name": "value"}


def test_only_the_first_separator_parts() -> None:
    assert values("url=http://x:1/?a=b c") == {"url": "http://x:1/?a=b c"}


def test_a_name_alone_has_an_empty_value() -> None:
    assert values("name") == {"name": ""}


@pytest.mark.parametrize("text", ["", "\n\r\n", "# a=b", "! a=b", "   # a=b\\", " \t\f", "\\", " \\\n"])
def test_comments_and_blank_lines_say_nothing(text: str) -> None:
    assert values(text) == {}


def test_a_backslash_continues_a_line_without_its_indentation() -> None:
    assert values("fruits = apple, \\\n         pear, \\\r\n\tplum\nnext=1") == {
        "fruits": "apple, pear, plum",
        "next": "1",
    }


def test_a_continuation_is_no_comment_and_a_comment_is_not_continued() -> None:
    assert values("a=1\\\n#2\n# comment \\\nb=3") == {"a": "1#2", "b": "3"}


def test_two_backslashes_are_one_and_do_not_continue() -> None:
    assert values("a=c:\\\\\nb=1") == {"a": "c:\\", "b": "1"}


def test_escapes() -> None:
    assert values(r"a\ b\=c\:d = \t\n\r\f\z\"\u00e9\ud83d\ude00") == {"a b=c:d": '\t\n\r\fz"é😀'}


def test_brackets_slashes_and_markup_need_no_escape() -> None:
    text = "cluster.node[heron] = <clusternode id='heron'>\\\n  <connect/></clusternode>"

    assert values(text) == {"cluster.node[heron]": "<clusternode id='heron'><connect/></clusternode>"}


def test_a_setting_knows_the_line_where_it_begins() -> None:
    assert parse("#\na=1\\\n 2\nb=3", "etc/b.properties") == [
        Setting("a", "12", "etc/b.properties:2"),
        Setting("b", "3", "etc/b.properties:4"),
    ]


def test_a_byte_order_mark_is_no_part_of_the_first_name() -> None:
    assert values("\ufeffa=1") == {"a": "1"}


@pytest.mark.parametrize("line", [r"a=\u12", r"a=\uzzzz", r"a\u=1", r"a=\ud83d", "=value", " : value"])
def test_what_is_malformed_is_refused_with_its_line(line: str) -> None:
    with pytest.raises(BrokerError, match=r"x\.properties:2: ") as caught:
        parse(f"ok=1\n{line}", "x.properties")

    assert caught.value.code is Code.RESOURCE_CONFIGURATION


@given(st.text() | st.text(alphabet="ab=: \t\f\\\n\r#!u0d8"))
def test_any_text_is_read_or_refused_with_a_line(text: str) -> None:
    try:
        settings = parse(text, "x.properties")
    except BrokerError as error:
        assert error.message.startswith("x.properties:")
    else:
        assert all(setting.name for setting in settings)


def escaped(text: str) -> str:
    return "".join(f"\\u{ord(character):04x}" for character in text)


basic = st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"]))


@given(st.dictionaries(basic.filter(bool), basic))
def test_every_name_and_value_can_be_written(expected: dict[str, str]) -> None:
    text = "\n".join(f"{escaped(name)}={escaped(value)}" for name, value in expected.items())

    assert values(text) == expected
