"""The table of commands that ask a broker."""

from __future__ import annotations

import argparse
import shlex

import pytest

from broker.admin.api.openapi import document
from broker.admin.api.table import described_operations
from broker.cli.main import COMMANDS, make_parser, parse
from broker.cli.ops.document import Document, installed_document
from broker.cli.ops.parameters import option_of
from broker.cli.ops.verb import Form, Verb
from broker.cli.ops.verbs import NOUNS, VERBS, WITHOUT_A_VERB
from broker.cli.subcommands import LaterSubcommands, make_everything

API = Document(document(described_operations()))
GIVEN = ("select", "filter")
"""Members of bodies whose options a parser does not require."""
NAMES = [verb.name for verb in VERBS]


def options_of(verb: Verb) -> list[str]:
    """Something for each argument that a command must have."""
    options = [] if verb.argument is None else ["a/b"]
    if verb.operation:
        described = API.operation(verb.operation)
        members = {each.name: each.schema for each in described.body}
        options += [str(members[name].get("enum", ["1"])[0]) for name in verb.positional]
        required = [each for each in described.body if each.required and each.name not in (*GIVEN, *verb.positional)]
        taken = [each for each in required if verb.takes is None or each.name in verb.takes]
        for each in taken:
            if each.name not in (verb.secret, verb.confirm[0], *dict(verb.fixed)):
                value = each.schema["enum"][0] if "enum" in each.schema else "callback/joe~1"
                options += [option_of(each.name), value]
    return [*options, "GET", "/me"] if verb.form is Form.API else options


def test_every_operation_has_a_verb_or_a_reason_why_not() -> None:
    asked = {operation for verb in VERBS for operation in verb.operations}
    assert asked | set(WITHOUT_A_VERB) == API.ids
    assert not asked & set(WITHOUT_A_VERB)


def test_no_two_verbs_have_one_name() -> None:
    assert sorted(set(NAMES)) == sorted(NAMES)


def test_document_of_the_command_is_that_of_the_api() -> None:
    installed = installed_document()
    assert installed.ids == API.ids
    assert [installed.operation(id) for id in sorted(API.ids)] == [API.operation(id) for id in sorted(API.ids)]


@pytest.mark.parametrize("verb", VERBS, ids=NAMES)
def test_a_verb_is_parsed(verb: Verb) -> None:
    assert callable(parse([*verb.name.split(), *options_of(verb)]).run)


WITHOUT_JSON = {Form.API, Form.METRICS, Form.TOP}
"""What they print is as the broker sends it, or a screen."""


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb.form not in WITHOUT_JSON], ids=lambda verb: verb.name)
def test_a_verb_prints_json_for_programs(verb: Verb) -> None:
    assert parse([*verb.name.split(), *options_of(verb), "--json"]).json is True


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb.form is Form.LIST], ids=lambda verb: verb.name)
def test_a_list_shows_fields_that_its_rows_have(verb: Verb) -> None:
    fields = API.operation(verb.operation, verb.rows).fields
    assert [column for column in "/".join(verb.columns).split("/") if column not in fields] == []


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb.examples], ids=lambda verb: verb.name)
def test_examples_are_command_lines(verb: Verb) -> None:
    for example in verb.examples:
        words = shlex.split(example)
        assert words[0] == "broker"
        parse(words[1:])


def test_commands_are_known_by_name_before_their_parsers_are_made() -> None:
    parser = make_parser()
    (subcommands,) = (action for action in parser._actions if isinstance(action, LaterSubcommands))
    before = list(subcommands.choices)
    make_everything(parser)
    assert before == list(subcommands.choices) == [name for names, _ in COMMANDS for name in names]


def test_help_of_a_noun_tells_its_verbs() -> None:
    parser = make_parser()
    make_everything(parser)
    (subcommands,) = (action for action in parser._actions if isinstance(action, LaterSubcommands))
    for noun in NOUNS:
        made: argparse.ArgumentParser = subcommands.choices[noun]
        help = made.format_help()
        assert [
            verb.name for verb in VERBS if verb.name.startswith(f"{noun} ") and verb.help not in " ".join(help.split())
        ] == []


def test_unknown_command_is_told_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        parse(["sesions", "list"])
    assert (end.value.code, "is sessions meant?" in capsys.readouterr().err) == (2, True)


def test_one_command_is_parsed_without_what_others_import(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def register(subcommands: LaterSubcommands) -> None:
        made.append("other")

    commands = [*COMMANDS, ({"other": None}, register)]
    monkeypatch.setattr("broker.cli.main.COMMANDS", commands)
    parse(["status"])
    assert made == []


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("run-level", "run-level show"),
        ("run-level --json", "run-level show --json"),
        ("run-level 3 9", "run-level set 3 9"),
        ("--data d run-level 6 --quiet", "--data d run-level set 6 --quiet"),
    ],
)
def test_run_level_needs_no_verb(short: str, long: str) -> None:
    def parsed(line: str) -> dict[str, object]:
        kept = vars(parse(line.split()))
        return {name: value for name, value in kept.items() if name not in ("run", "parser")}

    assert parsed(short) == parsed(long)


def test_run_level_as_the_text_of_a_message_is_a_text() -> None:
    assert vars(parse(["publish", "--user", "joe", "--oid", "x", "run-level"]))["content"] == "run-level"
