"""Backups of a broker that works, and brokers that start on them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from broker.client import ConnectOptions, PublishOptions
from broker.store.manifest import read_manifest
from tests.system.launcher import BrokerProcess, wait_until
from tests.system.native_client import connected
from tests.system.stream_client import StreamClient
from tests.system.test_crash import Sender, numbers_of

pytestmark = pytest.mark.system

RECEIVER = ConnectOptions("jack", "secret", session=1, persistent=True, burst=20)
SETTINGS = {"xmpp.plainWithoutTls": "true", "queue/callback/maxEntries": "1000000"}
BACKUPS = 3
ENOUGH = 300
"""Messages between two backups."""
FAILED = """<failed xmlns='urn:xmpp:sm:3'><item-not-found"""


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[BrokerProcess]:
    broker = BrokerProcess(tmp_path / "data", settings=SETTINGS)
    broker.add_accounts("joe", "jack")
    with broker:
        yield broker


def take_backup(broker: BrokerProcess) -> Path:
    made = broker.run_command("backup")
    assert made.returncode == 0, made.stderr
    return Path(made.stdout.splitlines()[-1])


def restored(backup: Path, data: Path) -> BrokerProcess:
    """A broker on a new directory."""
    data.parent.mkdir()
    broker = BrokerProcess(data, settings=SETTINGS)
    made = broker.run_command("restore", str(backup))
    assert made.returncode == 0, made.stderr
    return broker


def all_counted(client: StreamClient) -> bool:
    """Whether the broker has committed all that a client has sent."""
    client.read(0.05)
    return not client.unacked


def test_each_backup_under_load_holds_every_message_that_was_acknowledged_before(
    broker: BrokerProcess, tmp_path: Path
) -> None:
    # given a receiver that is away, and a sender that never rests
    connected(broker, RECEIVER).leave()
    sender = Sender(broker, PublishOptions(persistent=True, to=("jack/1",), force=True, subscribable=False))
    sender.start()
    # when backups are made meanwhile
    backups: list[tuple[Path, list[int]]] = []
    for number in range(BACKUPS):
        wait_until(partial(sender.has_acknowledged, (number + 1) * ENOUGH))
        acknowledged = list(sender.acknowledged)
        backups.append((take_backup(broker), acknowledged))
        wait_until(partial(sender.has_acknowledged, len(acknowledged) + 10))
    sender.stop()
    broker.terminate()
    # then a broker on each delivers them, in order and each once, and a gap is nowhere
    for number, (backup, acknowledged) in enumerate(backups):
        assert read_manifest(backup).counts is not None
        with restored(backup, tmp_path / f"new-{number}" / "data") as copy:
            found = numbers_of(list(connected(copy, RECEIVER).updates(timeout=1.5)))
        assert found == list(range(len(found)))
        assert set(acknowledged) <= set(found)


def test_a_stream_of_a_backup_cannot_be_resumed_and_its_messages_reach_the_account(
    broker: BrokerProcess, tmp_path: Path
) -> None:
    # given a client that is away, and can resume; messages wait
    jack, joe = StreamClient(broker, "jack"), StreamClient(broker, "joe")
    assert jack.go_on()
    assert joe.go_on()
    jack.cut()
    for number in range(3):
        joe.send("jack@localhost/x", str(number))
    joe.ask()
    wait_until(lambda: all_counted(joe))
    # when the broker is restored from a backup
    backup = take_backup(broker)
    broker.terminate()
    with restored(backup, tmp_path / "new" / "data") as copy:
        jack.broker = copy
        # then the stream is not there
        with pytest.raises(AssertionError, match=FAILED):
            jack.go_on()
        # and what waited in it comes to the next one, each once
        jack.forget()
        assert jack.go_on()
        jack.ask()
        jack.ask()
        jack.wait_for_message()
        jack.read(0.5)
        assert jack.got == ["0", "1", "2"]


def test_a_schedule_of_backups_that_could_not_be_made_ends_the_start(
    tmp_path: Path,
) -> None:
    broker = BrokerProcess(tmp_path / "data", settings={"db.url": "memory:", "backup.schedule": "03:15"})
    broker.spawn()
    broker.wait_for_log("backup.schedule is for SQLite only")
    broker.close()
