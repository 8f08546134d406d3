"""Properties: which source wins, which name wins, how variables are replaced."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.config.kinds import BOOLEAN, DURATION, INTEGER, SIZE, TEXT, choice, integer
from broker.config.properties import Properties, candidates
from broker.config.syntax import Setting, parse
from broker.errors import BrokerError, Code
from broker.model.qos import Overflow


def of_file(text: str, environment: dict[str, str] | None = None) -> Properties:
    return Properties(file=parse(text, "b.properties"), environment=environment)


def on_command_line(**settings: str) -> list[Setting]:
    return [Setting(name, value, "command line") for name, value in settings.items()]


def test_the_command_line_beats_the_environment_and_that_the_file() -> None:
    file = parse("a=file\nb=file\nc=file", "b.properties")
    environment = {"a": "environment", "BROKER_B": "environment"}
    properties = Properties(on_command_line(a="command line"), environment, file)

    assert [properties.text(name) for name in "abcd"] == ["command line", "environment", "file", None]


def test_what_is_assigned_at_run_time_beats_the_command_line() -> None:
    properties = Properties(on_command_line(a="1"))

    properties.assign("a", "2")

    assert properties.text("a") == "2"


def test_the_last_one_of_a_source_wins() -> None:
    assert of_file("a=1\na=2").text("a") == "2"


def test_names_are_looked_for_from_specific_to_general() -> None:
    assert candidates("queue/history/maxEntries", "heron", "topic/Hello") == (
        "/node/heron/topic/Hello/queue/history/maxEntries",
        "/node/heron/queue/history/maxEntries",
        "queue/history/maxEntries",
        "queue/maxEntries",
        "/node/heron/maxEntries",
        "maxEntries",
    )
    assert candidates("session.timeout", "heron") == ("/node/heron/session.timeout", "session.timeout")


def test_a_specific_name_of_the_file_beats_a_general_one_of_the_command_line() -> None:
    properties = Properties(
        [Setting("queue/maxEntries", "7", "command line")], file=parse("queue/callback/maxEntries=5", "b.properties")
    )

    assert properties.text("queue/callback/maxEntries") == "5"
    assert properties.text("queue/subject/maxEntries") == "7"


def test_the_node_id_is_a_property_too() -> None:
    properties = of_file(
        "cluster.node.id=${bird}\nbird=heron\na=1\n/node/heron/a=2\n/node/heron/client/joe/a=3\n/node/avalon/a=4"
    )

    assert properties.node_id == "heron"
    assert properties.text("a") == "2"
    assert properties.text("a", context="client/joe") == "3"


def test_values_have_a_kind() -> None:
    properties = of_file("i=-7\nb=Yes\nd=2h\ns=64k\no=discardOldest\nt= x y")

    assert properties.get("i", INTEGER, 0) == -7
    assert properties.get("b", BOOLEAN, False) is True
    assert properties.get("d", DURATION, 0) == 7_200_000
    assert properties.get("s", SIZE, 0) == 65536
    assert properties.get("o", choice(Overflow), Overflow.BLOCK) is Overflow.DISCARD_OLDEST
    assert properties.get("t", TEXT, "") == "x y"
    assert properties.get("absent", INTEGER, 42) == 42


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("x", INTEGER),
        ("", INTEGER),
        ("1.5", INTEGER),
        ("9s", INTEGER),
        ("1e3", DURATION),
        ("5 weeks", DURATION),
        ("1s", SIZE),
        ("maybe", BOOLEAN),
        ("-1", integer(0)),
        ("10", integer(0, 9)),
        ("10", integer(maximum=9)),
        ("deadmessage", choice(Overflow)),
    ],
)
def test_a_value_of_another_kind_is_refused_with_name_text_and_source(text: str, kind: object) -> None:
    properties = of_file(f"\nqueue/maxEntries={text}")

    with pytest.raises(BrokerError) as caught:
        properties.get("queue/callback/maxEntries", kind, None)  # type: ignore[arg-type]

    assert caught.value.code is Code.RESOURCE_CONFIGURATION
    assert caught.value.message.startswith(f"b.properties:2: queue/maxEntries = '{text}': ")


def test_variables_are_replaced_in_what_replaces_them() -> None:
    properties = of_file("home=/srv\ndata=${home}/data\nlog=${data}/${name}.log ${HOME}\nname=b", {"HOME": "/root"})

    assert properties.text("log") == "/srv/data/b.log /root"


def test_late_variables_are_left() -> None:
    assert of_file("a=$_{eventType} $x {y} ${").text("a") == "$_{eventType} $x {y} ${"


def test_a_variable_may_name_a_bracket_form() -> None:
    assert of_file("JdbcStorage[postgres]=url=x\na=${JdbcStorage[postgres]},1").text("a") == "url=x,1"


def test_a_variable_without_a_value_is_refused_with_the_property_that_refers_to_it() -> None:
    properties = of_file("a=${b}\n\nb=1${missing}")

    with pytest.raises(BrokerError, match=r"b\.properties:3: b refers to \$\{missing\}, which has no value") as caught:
        properties.text("a")

    assert caught.value.code is Code.RESOURCE_CONFIGURATION


def test_variables_without_a_value_may_be_kept() -> None:
    properties = of_file("a=1 ${missing}\nproperty.keepUnresolvedProps=true")

    assert properties.text("a") == "1 ${missing}"


def test_a_switch_that_is_none_is_refused_by_name() -> None:
    with pytest.raises(BrokerError) as caught:
        of_file("a=${missing}\nproperty.keepUnresolvedProps=maybe").text("a")
    assert caught.value.code is Code.RESOURCE_CONFIGURATION
    assert "property.keepUnresolvedProps" in caught.value.message


def chain(length: int) -> str:
    return "v0=end\n" + "\n".join(f"v{number}=${{v{number - 1}}}" for number in range(1, length))


def test_variables_nest_fifty_levels_and_no_more() -> None:
    assert of_file(chain(50)).text("v49") == "end"
    with pytest.raises(BrokerError, match="v0 is nested deeper than 50 levels or refers to itself"):
        of_file(chain(51)).text("v50")


def test_a_variable_that_refers_to_itself_is_refused() -> None:
    with pytest.raises(BrokerError, match="refers to itself"):
        of_file("a=${b}${b}\nb=${a}${a}").text("a")


def test_a_text_does_not_explode() -> None:
    doubling = "v0=0123456789\n" + "\n".join(f"v{n}=${{v{n - 1}}}${{v{n - 1}}}" for n in range(1, 40))

    with pytest.raises(BrokerError, match="is longer than"):
        of_file(doubling).text("v39")


def test_doubling_nothing_costs_nothing() -> None:
    doubling = "v0=\n" + "\n".join(f"v{n}=${{v{n - 1}}}${{v{n - 1}}}" for n in range(1, 50))

    assert of_file(doubling).text("v49") == ""


@given(st.text(alphabet="ab${}_", max_size=30), st.text(alphabet="ab${}_", max_size=30))
def test_any_text_is_replaced_or_refused(a: str, b: str) -> None:
    properties = Properties(on_command_line(a=a, b=b))

    try:
        text = properties.text("a")
    except BrokerError as error:
        assert error.code is Code.RESOURCE_CONFIGURATION
    else:
        assert text is not None


def test_bracket_forms_build_a_table() -> None:
    properties = Properties(
        [Setting("passwd[bilbo]", "command line", "command line")],
        {"passwd[gandalf]": "environment"},
        parse(
            "passwd[bilbo]=file\npasswd[frodo]=${x}\nx=1\npasswd=none\npasswd[a][1.0]=two\n/node/broker/passwd[heron]=n",
            "b.properties",
        ),
    )

    assert properties.mapping("passwd") == {
        "bilbo": "command line",
        "gandalf": "environment",
        "frodo": "1",
        "a,1.0": "two",
        "heron": "n",
    }


def test_settings_below_a_prefix() -> None:
    properties = of_file(
        "plugin/socket/port=1\nplugin/socket/hostname=h\n/node/broker/plugin/socket/port=2\nplugin/x/a=3"
    )

    assert {name: setting.value for name, setting in properties.under("plugin/socket/").items()} == {
        "port": "2",
        "hostname": "h",
    }
