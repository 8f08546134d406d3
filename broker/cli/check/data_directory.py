"""The data directory: whose it is, who can read it, and whether what is written to it stays."""

from __future__ import annotations

import os
import pwd
import tempfile
from collections.abc import Iterator
from pathlib import Path

from broker.cli.check.findings import Finding, Findings, Subject
from broker.cli.ops.values import bytes_text
from broker.cli.terminal import reason_of
from broker.store.location import DATABASE_FILE

DATA = Findings("data")
MOUNTS = Path("/proc/self/mountinfo")
OTHERS = 0o077
LEAST_FREE = 1_000_000_000
"""Bytes free below which it is worth a look."""
LOST = ("tmpfs", "ramfs")
"""File systems that a restart of the machine empties."""
REMOTE = ("nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs")
"""File systems whose locks SQLite cannot rely on."""


def check_data(subject: Subject) -> Iterator[Finding]:
    """Look at the data directory, or at where it would be made."""
    data = subject.data
    if not data.exists():
        parent = next(each for each in data.parents if each.exists())
        if not os.access(parent, os.W_OK | os.X_OK):
            yield DATA.problem(
                f"there is no {data}, and you may not make it in {parent}", "make it for the broker's user"
            )
        else:
            yield DATA.ok(f"there is no {data} yet; the first start makes it")
        yield from _check_file_system(parent)
        return
    if not data.is_dir():
        yield DATA.problem(f"{data} is no directory", "name another one with --data")
        return
    status = data.stat()
    if status.st_uid != os.geteuid():
        yield DATA.warning(
            f"{data} belongs to {_user(status.st_uid)}, and you are {_user(os.geteuid())}",
            f"check as the broker's user: sudo -u {_user(status.st_uid)} broker check",
        )
    if status.st_mode & OTHERS:
        yield DATA.warning(f"others may look into {data} (mode {status.st_mode & 0o777:04o})", f"chmod 700 {data}")
    if not os.access(data, os.R_OK | os.W_OK | os.X_OK):
        yield DATA.problem(f"you may not write to {data}", "check as the broker's user")
        return
    database = data / DATABASE_FILE
    if database.exists():
        yield DATA.ok(f"{database} has {bytes_text(database.stat().st_size)}")
    try:
        with tempfile.TemporaryFile(dir=data) as file:
            file.write(b"check")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        yield DATA.problem(f"nothing can be written durably to {data}: {reason_of(error)}", "use another file system")
    yield from _check_file_system(data)


def _check_file_system(directory: Path) -> Iterator[Finding]:
    kind = file_system_of(directory, MOUNTS.read_text(errors="surrogateescape") if MOUNTS.exists() else "")
    if kind in LOST:
        yield DATA.problem(f"{directory} is in memory ({kind}): a restart of the machine loses it", "use a disk")
    elif kind in REMOTE:
        yield DATA.warning(
            f"{directory} is on a remote file system ({kind}), whose locks may not hold", "use a local disk"
        )
    found = os.statvfs(directory)
    free = found.f_bavail * found.f_frsize
    told = f"{bytes_text(free)} are free on the file system of {directory}{f' ({kind})' if kind else ''}"
    yield DATA.warning(told, "make room, or name another directory") if free < LEAST_FREE else DATA.ok(told)


def file_system_of(directory: Path, mounts: str) -> str:
    """The kind of the file system that a directory is on, or an empty text.

    Args:
        directory: that there is.
        mounts: as ``/proc/self/mountinfo`` has them (proc(5)).
    """
    best, kind = -1, ""
    resolved = directory.resolve()
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        fields = before.split()
        if len(fields) < 5 or not after:
            continue
        point = Path(fields[4].replace("\\040", " "))
        if resolved.is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), after.split()[0]
    return kind


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
