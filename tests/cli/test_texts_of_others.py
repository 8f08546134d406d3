"""No command lets a text of somebody else do something to a terminal, wherever the broker puts it."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Self

import pytest

from broker.cli import client_commands
from broker.cli.main import main
from broker.client import Published, Subscribed, Update
from broker.errors import BrokerError
from broker.model.key import Key
from broker.model.property import property_of
from broker.model.qos import PublishQos, UpdateQos
from tests.cli.test_formats import Terminal

CONTROLS = "\x00\x07\x08\r\x0b\x0c\x1b\x7f\x80\x9b\x9f\u2028\u202e\u2066"
HOSTILE = f"a{CONTROLS}b"
ALLOWED = {"\t", "\n"}


class HostileBroker:
    """A client whose broker says nothing harmless."""

    reconnected = False

    def __init__(self, *_: object, **__: object) -> None:
        self._published = Published(HOSTILE, 1, HOSTILE, HOSTILE)
        qos = PublishQos(sender=f"/node/n/client/{HOSTILE}", properties=(property_of(HOSTILE, HOSTILE),))
        self._update = Update(HOSTILE, HOSTILE.encode(), Key(HOSTILE, mime=HOSTILE), UpdateQos(qos, received=1))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def publish(self, *_: object, **__: object) -> Published:
        return self._published

    def publish_soon(self, *_: object) -> Future[Published]:
        done: Future[Published] = Future()
        done.set_result(self._published)
        return done

    def get(self, *_: object, **__: object) -> list[Update]:
        return [self._update]

    def subscribe(self, *_: object, **__: object) -> Subscribed:
        return Subscribed(HOSTILE)

    def updates(self, timeout: float | None = None) -> Iterator[Update]:
        yield self._update

    def acknowledge(self) -> None:
        pass

    def erase(self, *_: object, **__: object) -> list[str]:
        return [HOSTILE]

    def ping(self) -> str:
        return HOSTILE


class RefusingBroker(HostileBroker):
    """Refuses everything, with a reason that is not harmless."""

    def __enter__(self) -> Self:
        raise BrokerError(HOSTILE, HOSTILE)


@pytest.mark.parametrize("broker", [HostileBroker, RefusingBroker])
@pytest.mark.parametrize(
    "arguments",
    [
        ["publish", "--oid", "a", "content"],
        ["publish", "--oid", "a", "--json", "content"],
        ["publish", "--oid", "a", "--lines", "content"],
        ["send", "jack", "content"],
        ["get", "--oid", "a"],
        ["get", "--oid", "a", "--json"],
        ["subscribe", "--oid", "a"],
        ["subscribe", "--oid", "a", "--json"],
        ["erase", "--oid", "a"],
        ["ping"],
    ],
    ids=" ".join,
)
def test_a_terminal_gets_no_control_character_of_others(
    arguments: list[str], broker: type[HostileBroker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_commands, "_Session", broker)
    out, err = Terminal(), Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    main(arguments)
    shown = out.getvalue() + err.getvalue().removeprefix("\r")  # of the progress
    assert "a" in shown
    assert not set(shown) & (set(CONTROLS) - ALLOWED)


def test_contents_are_raw_on_a_terminal_where_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_commands, "_Session", HostileBroker)
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="utf-8"))
    assert main(["get", "--oid", "a", "--raw"]) == 0
    assert written.getvalue() == HOSTILE.encode()
