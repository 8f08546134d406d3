"""Packages of Debian, installed when they are needed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from pathlib import Path
from string import Template

from bench.system import Unavailable

_HERE = Path(__file__).parent
_LIMIT = 600
_NO_SERVICES = Path("/usr/sbin/policy-rc.d")


def install(package: str) -> None:
    """Install a package with what it needs, without starting its service.

    Raises:
        Unavailable: it is not there, and cannot be installed.
    """
    if installed_version(package):
        return
    if shutil.which("apt-get") is None:
        raise Unavailable(f"{package} is not installed, and there is no apt-get")
    if os.geteuid() != 0:
        raise Unavailable(f"{package} is not installed, and only root can install it")
    made = not _NO_SERVICES.exists()
    if made:
        _NO_SERVICES.write_text("#!/bin/sh\nexit 101\n")
        _NO_SERVICES.chmod(0o755)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        for arguments in (["update"], ["install", "-y", "--no-install-recommends", package]):
            done = subprocess.run(
                ["apt-get", "-qq", *arguments],
                env=environment,
                capture_output=True,
                text=True,
                timeout=_LIMIT,
                check=False,
            )
            if done.returncode:
                raise Unavailable(f"{package} cannot be installed: {done.stderr.strip()[-500:]}")
    finally:
        if made:
            _NO_SERVICES.unlink()


def installed_version(package: str) -> str:
    """Version of an installed package, or empty."""
    if shutil.which("dpkg-query") is None:
        return ""
    asked = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Status}\t${Version}", package], capture_output=True, text=True, check=False
    )
    status, _, version = asked.stdout.partition("\t")
    return version if asked.returncode == 0 and status.endswith(" installed") else ""


def free_port() -> int:
    """A port that nobody uses at the moment."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def write_configuration(template: str, target: Path, **values: str | int) -> None:
    """Fill one of the templates beside this file."""
    target.write_text(Template((_HERE / template).read_text()).substitute(values))
