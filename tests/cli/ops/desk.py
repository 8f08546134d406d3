"""Commands that ask the API of a broker that is no process, without sockets."""

from __future__ import annotations

import dataclasses
import io
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from broker.admin.api.events import write_event
from broker.admin.api.table import Parts, all_operations
from broker.admin.census import Census
from broker.admin.event_followers import EventFollowers
from broker.admin.event_log import EventLog
from broker.admin.followers import Followers
from broker.admin.health import Health
from broker.admin.store_files import StoreFiles
from broker.admin.tails import Tails
from broker.cli.main import main
from broker.cli.ops import address, without_broker
from broker.cli.transport import Address, Reply
from tests.admin.api.desk import Desk
from tests.admin.sources import alarms_of, watch_of
from tests.core.world import World


class Screen(io.StringIO):
    """A terminal that people look at."""

    def isatty(self) -> bool:
        """It is one."""
        return True


class CommandDesk:
    """A broker, and the command that asks it.

    Args:
        monkeypatch: of the test.
        uid: of who asks, by default an administrator.

    Attributes:
        asked: method, target and body of each request.
        headers: of each request, beside those of all.
        canned: replies that are given before the broker is asked.
        world: the core.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, uid: int = os.geteuid()) -> None:
        self.world = World()
        self.headers: list[dict[str, str]] = []
        self.asked: list[tuple[str, str, object]] = []
        self.canned: list[Reply | Exception] = []
        self._desk = Desk(self.world, uid=uid)
        instance = self._desk.instance
        self.census = Census(instance)
        given: dict[str, Any] = dict.fromkeys((field.name for field in dataclasses.fields(Parts)), None) | {
            "instance": instance,
            "access": self._desk.fake.access,
            "health": Health(instance),
            "census": self.census,
            "files": StoreFiles(instance.properties, instance.data),
            "alarms": alarms_of(instance, self.census),
            "tails": Tails(instance, followers := Followers(instance.reactor)),
            "event_log": (event_log := EventLog(instance.events)),
            "followers": EventFollowers(event_log, followers, write_event),
            "watch": watch_of(instance, self.census),
        }
        parts = Parts(**given)
        self._operations = all_operations(parts, self._desk.gate)
        self._monkeypatch = monkeypatch
        monkeypatch.setattr(address, "Administration", self._administration)
        monkeypatch.setattr(without_broker, "nobody_listens", lambda options: False)

    def _administration(self, addresses: Sequence[Address], timeout: float) -> CommandDesk:
        return self

    def ask(self, method: str, target: str, body: object = None, headers: Mapping[str, str] | None = None) -> Reply:
        """What :meth:`broker.cli.transport.Administration.ask` does."""
        self.asked.append((method, target, body))
        self.headers.append(dict(headers or {}))
        if self.canned:
            reply = self.canned.pop(0)
            if isinstance(reply, Exception):
                raise reply
            return reply
        answer = self._desk.ask(self._operations, target, method, body, **(headers or {}))
        return Reply(
            answer.status, answer.headers.get("content-type", "").partition(";")[0], answer.headers, answer.body
        )

    def run_level(self, level: int) -> None:
        """Let the broker be at another one."""
        self._desk.fake.run_levels.level = level

    def run(self, *arguments: str) -> tuple[int, str]:
        """Run a command whose output goes to a file; returns its exit status and output."""
        return self._run(io.StringIO(), arguments)

    def show(self, *arguments: str) -> tuple[int, str]:
        """The same with a terminal."""
        return self._run(Screen(), arguments)

    def _run(self, output: io.StringIO, arguments: Sequence[str]) -> tuple[int, str]:
        self._monkeypatch.setattr(sys, "stdout", output)
        try:
            status = main(arguments)
        except SystemExit as end:
            status = int(str(end.code))
        return status, output.getvalue()
