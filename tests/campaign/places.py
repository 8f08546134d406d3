"""Where the broker of a campaign keeps its data: SQLite, or PostgreSQL that can be killed and cut off."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import time
from pathlib import Path

from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool

from broker.auth.scram import MINIMUM_ITERATIONS, make_account
from broker.store.sql.accounts import AccountTable
from tests.campaign.proxy import Proxy
from tests.contract.databases import SERVER, url_text
from tests.system.launcher import LaunchError, wait_until

SCRIPT = Path(__file__).parents[1] / "postgres.sh"
PATIENCE = 60.0


class Place:
    """A data directory, and the database that belongs to it.

    Args:
        directory: where everything is.

    Attributes:
        store: name of the kind.
        url: of the database, past all faults.
        settings: properties that the broker needs for it.
        skipped: faults that cannot be made here, and why.
    """

    store = "sqlite"

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.data = directory / "data"
        self.url = f"sqlite:///{self.data / 'broker.db'}"
        self.settings: dict[str, str] = {}
        self.skipped: dict[str, str] = {}

    def add_accounts(self, *names: str) -> None:
        """Accounts with the password ``secret``; the broker does not run yet."""
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        with AccountTable(self.url) as table:
            for name in names:
                table.put(make_account(name, "secret", created=0, iterations=MINIMUM_ITERATIONS))

    def close(self) -> None:
        """Let go of everything but the directory."""


class Disk:
    """A file system of a few hundred megabytes that can be filled.

    Args:
        directory: to be mounted on.
        size: in megabytes.

    Raises:
        LaunchError: it cannot be mounted; the text says why.
    """

    def __init__(self, directory: Path, size: int) -> None:
        self._directory = directory
        self._filler = directory / "filler"
        if os.geteuid() != 0:
            raise LaunchError("only root can mount a small disk")
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}m,mode=0700", "tmpfs", str(directory)],
            capture_output=True,
            text=True,
            check=False,
        )
        if mounted.returncode:
            raise LaunchError(f"no small disk: {mounted.stderr.strip()}")

    def fill(self) -> None:
        """Leave no room."""
        block = b"x" * (1 << 20)
        with contextlib.suppress(OSError), self._filler.open("ab", buffering=0) as filler:
            while True:
                if filler.write(block) < len(block):
                    block = b"x" * 4096

    def free(self) -> None:
        """Have room again."""
        self._filler.unlink(missing_ok=True)

    def unmount(self) -> None:
        """Take it away."""
        subprocess.run(["umount", "--lazy", str(self._directory)], check=False)


class SqlitePlace(Place):
    """SQLite on a disk that can be full, where there may be one."""

    SIZE = 512

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.disk: Disk | None = None
        self.data.mkdir(mode=0o700, parents=True)
        try:
            self.disk = Disk(self.data, self.SIZE)
        except (LaunchError, FileNotFoundError) as error:
            self.skipped["full disk"] = str(error)

    def close(self) -> None:
        """Take the disk away, with what was on it copied beside it."""
        if self.disk is not None:
            self.disk.free()
            sockets = shutil.ignore_patterns("*.sock")  # of the broker, which cannot be copied
            shutil.copytree(self.data, self.directory / "copy", ignore=sockets, dirs_exist_ok=True)
            self.disk.unmount()


class PostgresPlace(Place):
    """PostgreSQL behind a proxy; a cluster of its own where none is given."""

    store = "postgresql"

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._cluster: Path | None = None
        server = os.environ.get(SERVER, "")
        if server:
            self.skipped["database killed"] = f"the server of {SERVER} belongs to others"
        else:
            self._cluster = directory / "cluster"
            directory.chmod(0o711)
            server = self._script("start")
        self._server = server
        self._name = f"campaign_{secrets.token_hex(6)}"
        self._execute(f"CREATE DATABASE {self._name} TEMPLATE template0")
        direct = make_url(server).set(database=self._name)
        self.url = url_text(direct)
        self.proxy = Proxy(direct.host or "127.0.0.1", direct.port or 5432)
        self.settings["db.url"] = url_text(direct.set(host="127.0.0.1", port=self.proxy.port))

    @property
    def is_private(self) -> bool:
        """Whether the server may be killed."""
        return self._cluster is not None

    def kill(self) -> None:
        """End the server and all its processes at once."""
        assert self._cluster is not None
        postmaster = int((self._cluster / "data" / "postmaster.pid").read_text().split()[0])
        family = [*_children(postmaster), postmaster]
        for pid in family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not any(_runs(pid) for pid in family), PATIENCE)

    def start_again(self) -> None:
        """Start the server after it was killed."""
        for _ in range(10):
            try:
                self._script("again")
                return
            except subprocess.CalledProcessError:  # what it shared is not let go of yet
                time.sleep(0.3)
        raise LaunchError("PostgreSQL does not start again")

    def close(self) -> None:
        """Drop the database, or stop the cluster."""
        self.proxy.close()
        if self._cluster is None:
            self._execute(f"DROP DATABASE {self._name} WITH (FORCE)")
        else:
            self._script("stop")

    def _script(self, word: str) -> str:
        done = subprocess.run(
            ["bash", str(SCRIPT), word, str(self._cluster)],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=PATIENCE,
        )
        return done.stdout.strip()

    def _execute(self, statement: str) -> None:
        engine = create_engine(self._server, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(statement))
        engine.dispose()


def _children(parent: int) -> list[int]:
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, IndexError):
            if int(status.read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(status.parent.name))
    return found


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
