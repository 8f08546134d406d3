"""The tree as people install it: each way has the revisions of the schema, the files of etc/ and share/,
and twistd finds the plugin.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from broker.cli.defaults import FILES

pytestmark = [pytest.mark.system, pytest.mark.slow]

TREE = Path(__file__).parents[2]
NOT_OF_THE_TREE = shutil.ignore_patterns(
    ".git", ".venv*", ".*_cache", ".hypothesis", "__pycache__", "*.egg-info", "build", "dist", "data", "dropin.cache"
)
BUILD = "import sys; from setuptools import build_meta; print(getattr(build_meta, sys.argv[1])(sys.argv[2]))"
UPGRADE = """
import sys
import broker
from broker.store.sql.database import engine_of
from broker.store.sql.revisions import NEWEST, revision_of
from broker.store.sql.upgrade import upgrade
engine = engine_of("sqlite:///" + sys.argv[1])
upgrade(engine)
assert revision_of(engine) == NEWEST
print(broker.__file__)
"""
TWISTD = "from twisted.scripts.twistd import run; run()"


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, text=True, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def build(tree: Path, what: str) -> Path:
    """Build a distribution of the tree, with what is installed here."""
    made = tree / "dist"
    made.mkdir(exist_ok=True)
    return made / run(sys.executable, "-c", BUILD, f"build_{what}", made, cwd=tree).splitlines()[-1]


def unpacked(sdist: Path, to: Path) -> Path:
    with tarfile.open(sdist) as archive:
        archive.extractall(to, filter="data")
    return to / sdist.name.removesuffix(".tar.gz")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """What a checkout has, with nothing that was made in it, and no symbolic links."""
    copied = tmp_path / "tree"
    shutil.copytree(TREE, copied, ignore=NOT_OF_THE_TREE, symlinks=True)
    assert [path for path in copied.rglob("*") if path.is_symlink()] == []
    return copied


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """A new environment, with the libraries of this one, and no broker."""
    environment = tmp_path / "environment"
    run(sys.executable, "-m", "venv", "--without-pip", environment, cwd=tmp_path)
    (packages,) = environment.glob("lib/python*/site-packages")
    (packages / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return environment / "bin" / "python"


INSTALLS: dict[str, Callable[[Path], list[str | Path]]] = {
    "wheel": lambda tree: [build(tree, "wheel")],
    "sdist": lambda tree: [unpacked(build(tree, "sdist"), tree.parent / "unpacked")],
    "editable": lambda tree: ["--editable", tree],
}


@pytest.mark.parametrize("way", INSTALLS)
def test_installed_broker_upgrades_a_database_and_is_listed_by_twistd(
    way: str, tree: Path, python: Path, tmp_path: Path
) -> None:
    # given the broker, installed without a look at what is beside it
    pip: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        python,
        "--disable-pip-version-check",
        "install",
        "--quiet",
    ]
    offline = ["--no-index", "--no-deps", "--no-build-isolation", "--ignore-installed"]
    run(*pip, *offline, *INSTALLS[way](tree), cwd=tmp_path)
    if way != "editable":
        shutil.rmtree(tree)
        shutil.rmtree(tmp_path / "unpacked", ignore_errors=True)
    # when it is used from an empty directory
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    found = Path(run(python, "-c", UPGRADE, elsewhere / "broker.db", cwd=elsewhere).strip())
    # then it is that broker, with its revisions, and a plugin of twistd
    home = tree if way == "editable" else python.parents[1]
    assert found.is_relative_to(home)
    assert "A durable XML message broker." in run(python, "-c", TWISTD, "--help", cwd=elsewhere)
    # and prints the files that one begins with
    for what, (folder, name) in FILES.items():
        assert run(python, "-m", "broker", "defaults", what, cwd=elsewhere) == (TREE / folder / name).read_text()
    # and has the document that its commands take their options from
    assert "--min-entries" in run(python, "-m", "broker", "queues", "list", "--help", cwd=elsewhere)
