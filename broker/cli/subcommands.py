"""Parsers of subcommands that are made when they are needed: one command is parsed without what all others are."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from typing import Any

Register = Callable[["LaterSubcommands"], None]
"""Adds the parsers of one or more subcommands."""


class LaterSubcommands(argparse._SubParsersAction):  # type: ignore[type-arg] # at run time it takes no arguments
    """Subcommands of a parser. Give it to :meth:`argparse.ArgumentParser.add_subparsers` as its ``action``."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._later: dict[str, Register] = {}

    def add_later(self, helps: Mapping[str, str | None], register: Register) -> None:
        """Add subcommands whose parsers are made with the first of them; a help that lists them needs none.

        Args:
            helps: of all that ``register`` adds, by their names; ``None`` for one that is not listed.
            register: adds them.
        """
        for name, help in helps.items():
            self._later[name] = register
            self._name_parser_map[name] = None
            if help is not None:
                self._choices_actions.append(self._ChoicesPseudoAction(name, (), help))

    def make(self, name: str) -> None:
        """Make the parser of one subcommand, and of those that are made with it."""
        register = self._later.get(name)
        if register is None:
            return
        listed = list(self._choices_actions)
        for each in [each for each, other in self._later.items() if other is register]:
            del self._later[each]
            del self._name_parser_map[each]
        register(self)
        self._choices_actions[:] = listed  # where the parser that is made now is listed already

    def make_all(self) -> None:
        """Make all of them, in the order in which they were added."""
        for name in list(self._later):
            self.make(name)

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Parse the rest of the command line as that of the subcommand that it begins with."""
        self.make(values[0])
        super().__call__(parser, namespace, values, option_string)


class CommandParser(argparse.ArgumentParser):
    """A parser with such subcommands, which names the nearest where there is none of a name."""

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if isinstance(action, LaterSubcommands) and value not in (action.choices or ()):
            from broker.config.nearest import nearest

            near = nearest(str(value), action.choices or ())
            hint = f"is {near} meant?" if near else f"see {self.prog} --help"
            raise argparse.ArgumentError(action, f"there is no {value!a}; {hint}")
        super()._check_value(action, value)


def add_subcommands(parser: argparse.ArgumentParser, metavar: str) -> LaterSubcommands:
    """Let a parser have subcommands, of which one must be given.

    Args:
        parser: that has them.
        metavar: stands for them in its help.
    """
    made = parser.add_subparsers(metavar=metavar, required=True, action=LaterSubcommands, parser_class=CommandParser)
    assert isinstance(made, LaterSubcommands)
    return made


def make_everything(parser: argparse.ArgumentParser) -> None:
    """Make the parsers of all subcommands, and of theirs."""
    for action in parser._actions:
        if isinstance(action, LaterSubcommands):
            action.make_all()
            for each in action.choices.values():
                make_everything(each)
