"""``broker completion``: scripts that let a shell complete the command line.

They are static files of ``share/completions``, so that the Tab key starts no Python but for names of objects.
``python -m broker.cli.completion`` writes them, with shtab.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from broker.cli.options import path_of
from broker.config.installation import find_folder

if TYPE_CHECKING:
    from broker.cli.subcommands import LaterSubcommands

FOLDER = "share/completions"
FILES = {"bash": "broker.bash", "zsh": "_broker", "fish": "broker.fish"}
EXAMPLES = """\
examples:
  broker completion bash > /etc/bash_completion.d/broker
  broker completion zsh > /usr/local/share/zsh/site-functions/_broker
  broker completion fish > ~/.config/fish/completions/broker.fish
"""
BASH = """\
_broker_names_{noun}() {{
  local IFS=$'\\n'
  compgen -W "$(broker complete {noun} -- "$1" 2> /dev/null)" -- "$1"
}}"""
ZSH = """\
_broker_names_{noun}() {{
  local -a names
  names=("${{(@f)$(broker complete {noun} -- "$PREFIX" 2> /dev/null)}}")
  compadd -a names
}}"""
FISH = "(broker complete {noun} -- (commandline -ct) 2> /dev/null)"


def register(subcommands: LaterSubcommands) -> None:
    """Add ``completion``."""
    parser = subcommands.add_parser(
        "completion",
        help="print a script that lets a shell complete the command line",
        description="Print a script that lets a shell complete commands, options, files, and names of objects.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("shell", choices=list(FILES))
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the script of one shell."""
    from broker.cli.terminal import write

    name = FILES[options.shell]
    write((find_folder(FOLDER, name) / name).read_text("utf-8"))
    return 0


def make_script(shell: str) -> str:
    """Make the script of a shell; needs shtab.

    Args:
        shell: a key of :data:`FILES`.
    """
    import shtab

    from broker.cli.main import make_parser
    from broker.cli.subcommands import make_everything

    parser = make_parser()
    make_everything(parser)
    _mark(parser, "")
    made: str = shtab.complete(parser, shell=shell)
    return "\n".join(line.rstrip() for line in made.splitlines()) + "\n"


def _mark(parser: argparse.ArgumentParser, noun: str) -> None:
    """Say of arguments how they are completed."""
    import shtab

    from broker.cli.ops.complete import LISTS

    for action in parser._actions:
        if action.type is path_of:
            action.complete = shtab.DIR if action.metavar == "DIR" else shtab.FILE  # type: ignore[attr-defined]
        elif action.dest == "target" and noun in LISTS:
            action.complete = _names(noun)  # type: ignore[attr-defined]
        elif isinstance(action, argparse._SubParsersAction):
            for name, each in action.choices.items():
                _mark(each, noun or name)


def _names(noun: str) -> dict[str, Any]:
    """How the names of a noun are completed, as shtab has it."""
    function = f"_broker_names_{noun}"
    preamble = {"bash": BASH.format(noun=noun), "zsh": ZSH.format(noun=noun)}
    return {"bash": function, "zsh": function, "fish": FISH.format(noun=noun), "preamble": preamble}


if __name__ == "__main__":
    folder = Path(__file__).parents[2] / FOLDER
    for shell, name in FILES.items():
        (folder / name).write_text(make_script(shell), "utf-8")
