"""``broker completion``."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from broker.cli.completion import FILES, FOLDER, make_script
from broker.cli.main import main
from broker.cli.ops.verbs import VERBS

TREE = Path(__file__).parents[2]


@pytest.mark.parametrize("shell", FILES)
def test_script_is_what_the_command_line_makes(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    """``python -m broker.cli.completion`` writes it anew."""
    assert main(["completion", shell]) == 0
    written = capsys.readouterr().out
    assert written == (TREE / FOLDER / FILES[shell]).read_text("utf-8") == make_script(shell)


@pytest.mark.parametrize("shell", FILES)
def test_script_has_every_command(shell: str) -> None:
    script = make_script(shell)
    assert [verb.name for verb in VERBS if verb.name.rpartition(" ")[2] not in script] == []


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("broker que", ["queues"]),
        ("broker queues s", ["show"]),
        ("broker queues list --min-fill", ["--min-fill-ratio"]),
        ("broker queues list --relating s", ["subject"]),
        ("broker defaults lo", ["logrotate"]),
    ],
)
def test_bash_completes(typed: str, completed: list[str]) -> None:
    words = " ".join(shlex.quote(word) for word in typed.split())
    script = f"""
source {TREE / FOLDER / FILES["bash"]}
COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); COMPREPLY=()
_shtab_broker
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == completed
