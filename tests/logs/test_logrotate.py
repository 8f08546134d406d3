"""The configuration for logrotate (share/logrotate)."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

CONFIGURATION = Path(__file__).parents[2] / "share" / "logrotate" / "broker"


def test_lines_are_never_copied_since_some_would_be_lost() -> None:
    directives = [line.split()[0] for line in CONFIGURATION.read_text().splitlines() if line.strip()]

    assert "copytruncate" not in directives
    assert "delaycompress" in directives


def test_logrotate_moves_the_file_and_then_runs_the_command(tmp_path: Path) -> None:
    logrotate = shutil.which("logrotate", path="/usr/sbin:/usr/bin:/sbin")
    if logrotate is None:
        pytest.skip("needs logrotate, of the Debian package logrotate")
    log, called = tmp_path / "broker.log", tmp_path / "called"
    log.write_text("a line\n")
    lines = CONFIGURATION.read_text().replace("/var/log/broker/broker.log", str(log)).splitlines()
    command = next(number for number, line in enumerate(lines) if "systemctl" in line)
    lines[command] = f"ls {tmp_path} > {called}"
    configuration = tmp_path / "configuration"
    configuration.write_text("\n".join(lines) + "\n")
    configuration.chmod(0o644)
    tmp_path.chmod(0o755)
    done = subprocess.run(
        [logrotate, "--force", "--state", str(tmp_path / "state"), str(configuration)], text=True, capture_output=True
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "broker.log.1").read_text() == "a line\n"
    assert "broker.log.1" in called.read_text().split()
    assert not log.exists()
