"""Files that commands write."""

from __future__ import annotations

import os
from pathlib import Path

from broker.cli.terminal import reason_of
from broker.errors import BrokerError, Code
from broker.private_files import PRIVATE


def write_output(name: str, data: bytes) -> None:
    """Write a file that only the user can read; what was there is replaced once all of it is written.

    Raises:
        BrokerError: ``resource.fileIO``.
    """
    path = Path(name)
    part = path.with_name(f"{path.name}.part")
    try:
        part.unlink(missing_ok=True)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        part.rename(path)
    except OSError as error:
        raise BrokerError(Code.RESOURCE_FILE_IO, reason_of(error)) from error
