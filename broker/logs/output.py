"""Where the log goes: standard output or a file, formatted and filtered as the properties say."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from twisted.logger import FileLogObserver, Logger

from broker.logs.audit import audit
from broker.logs.file import LogFile
from broker.logs.flood import FloodLimit
from broker.logs.levels import LevelFilter, LogLevels
from broker.logs.lines import as_json, as_text
from broker.logs.settings import Format, LogSettings

log = Logger()

DAEMON_LOG = "twistd.log"
"""Where twistd logs to in the background if no file is named."""


class LogOutput:
    """The log of one process.

    Args:
        settings: how it is written.
        path: of the file to log to; ``None`` for standard output.

    Attributes:
        levels: which lines are written.
        observer: writes events, for :mod:`twisted.logger`.
        file: that is logged to, if it is one.

    Raises:
        OSError: the file cannot be opened.
    """

    def __init__(self, settings: LogSettings, path: Path | None) -> None:
        self.levels = LogLevels(settings.level, settings.levels)
        self.file = None if path is None else LogFile(path, settings.keep, settings.max_size, daily=settings.daily)
        stream: Any = sys.stdout if self.file is None else self.file
        write = FileLogObserver(stream, as_json if settings.format is Format.JSON else as_text)
        self.observer = LevelFilter(self.levels, FloodLimit(write))

    def reopen(self) -> None:
        """Go on in a new file where another program has moved the file away; standard output stays what it is."""
        if self.file is not None:
            try:
                self.file.reopen()
            except OSError as error:
                _complain(self.file.path, error)

    def rotate(self) -> None:
        """Begin a new file and keep the old one; the log says so where it goes to standard output."""
        if self.file is None:
            log.info("the log goes to standard output: there is no file to rotate")
            return
        outcome = "done"
        try:
            self.file.rotate()
        except OSError as error:
            _complain(self.file.path, error)
            outcome = "failed"
        audit("log.rotate", {"via": "signal", "outcome": outcome})


def open_log(twistd: Any, settings: LogSettings) -> LogOutput | None:
    """Open the log that the options of twistd and the properties describe.

    Args:
        twistd: its options; ``None`` where there is no twistd.
        settings: how the log is written.

    Returns:
        ``None`` for a log that twistd makes itself: syslog, one of ``--logger``, or where there is no twistd.

    Raises:
        SystemExit: the file cannot be opened.
    """
    if twistd is None or twistd["syslog"] or twistd["logger"]:
        return None
    name = twistd["logfile"] or ("-" if twistd["nodaemon"] else DAEMON_LOG)
    try:
        return LogOutput(settings, None if name == "-" else Path(name))
    except OSError as error:
        sys.exit(f"the log file {name} cannot be opened: {error.strerror}")


def _complain(path: Path, error: OSError) -> None:
    print(f"the log file {path} cannot be opened anew: {error.strerror}", file=sys.__stderr__)
