"""Things that clients do, and the broker must bear: many vanish at once, some stop reading."""

from __future__ import annotations

import random
import socket
import struct
import time
from collections.abc import Callable

from tests.campaign.checks import Failed, check_stream
from tests.campaign.manager_faults import Talk
from tests.campaign.native_talk import NativeTalk
from tests.campaign.resident import resident
from tests.campaign.resuming import PATIENCE, Patient, done_while_moving
from tests.campaign.ways import Ways
from tests.campaign.xmpp_talk import Talker, XmppTalk
from tests.system.launcher import BrokerProcess, LaunchError, wait_until
from tests.system.stream_client import StreamClient
from tests.system.websocket_socket import WebSocketSocket

CROWD = 100
CROWD_USER = "crowd"
ATTENDED_EVERY = 10
"""Members of the crowd that come back, one after the other, before others read what they are asked."""
STALL = 20.0
"""Seconds for which clients do not read."""
STALL_MEMORY = 128.0
"""Megabytes by which the broker may grow meanwhile."""
MAX_UNACKED = 500
"""Stanzas that the writer sends ahead."""
MAX_UNREAD = 5000
"""Stanzas that it sends."""
PADDING = 2000
"""Bytes of each message that a client does not read."""


class Member(Patient):
    """One of a crowd: its connection can be aborted, so that the broker is not told."""

    def abort(self) -> None:
        """Reset the connection."""
        if isinstance(self._socket, WebSocketSocket):
            self._socket.abort()
        elif self._socket is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.cut()


def crowd_vanishes(
    broker: BrokerProcess, ways: Ways, chance: random.Random, talk: Talk, attend: Callable[[], object]
) -> None:
    """A hundred clients are cut off at once, are written to, and come back; sometimes to a broker that was killed.

    Args:
        broker: that they talk to.
        ways: to it.
        chance: decides.
        talk: lets other clients talk.
        attend: lets others answer, who stay connected, while the crowd comes back.

    Raises:
        Failed: one of them did not get each message once and in order.
    """
    members = [Member(ways, CROWD_USER, f"r{number}") for number in range(CROWD)]
    writer = Talker(ways, "ann2")
    for each in (*members, writer):
        _come(each)
    sent: dict[Member, list[str]] = {each: [] for each in members}

    def write(count: int) -> None:
        for each in members:
            for _ in range(count):
                sent[each].append(f"{each.resource} {len(sent[each])}")
                writer.send(f"{CROWD_USER}@localhost/{each.resource}", sent[each][-1])
        writer.read()

    write(3)
    for each in members[::2]:
        each.read(0.01)
    for each in members:
        each.abort()
    write(3)
    talk(0.2)
    if chance.random() < 0.5:
        broker.restart()
        if not writer.is_held:
            writer.cut()

    def complete() -> bool:
        if not broker.running:
            broker.start()
        for number, each in enumerate((*members, writer)):
            if number % ATTENDED_EVERY == 0:
                writer.read()
                attend()
            if not each.attached:
                each.go_on()
            elif each is writer or len(each.got) < len(sent[each]):  # type: ignore[index]
                each.ask()
                each.read(0.02)
        return not writer.unacked and all(len(each.got) >= len(sent[each]) for each in members)

    done_while_moving(complete, lambda: [(each.attached, each.acked, len(each.got)) for each in (*members, writer)])
    for each in members:
        check_stream(f"{CROWD_USER}/{each.resource}", sent[each], each.got)
    if writer.unacked:
        raise Failed(f"{len(writer.unacked)} stanzas to the crowd are not acknowledged")
    for each in (*members, writer):
        each.ask()
        each.end()
    for each in (*members, writer):
        _await_end(each)


def readers_stall(broker: BrokerProcess, xmpp: XmppTalk, native: NativeTalk) -> float:
    """A client of each kind reads nothing for seconds while much is sent to it; then it gets everything.

    What it gets is compared with the model at the end of the campaign.

    Returns:
        Megabytes by which the broker grew.

    Raises:
        Failed: the broker grew beyond measure.
    """
    sender, _, reader = xmpp.residents
    for each in xmpp.residents:
        if not each.attached:
            _come(each)
    native.receivers[0].paused.set()
    pace, native.numbers.pace = native.numbers.pace, 0.0005
    native.numbers.padding = PADDING
    before = most = resident(broker.pid)
    sent = 0
    until = time.monotonic() + STALL
    while time.monotonic() < until:
        if not sender.attached:
            _come(sender)
        if len(sender.unacked) < MAX_UNACKED and sent < MAX_UNREAD:
            sent += 5
            xmpp.send(sender, reader, 5, padding=PADDING)
        sender.ask()
        sender.read(0.01)
        most = max(most, resident(broker.pid))
    native.numbers.padding = 0
    native.numbers.pace = pace
    native.receivers[0].paused.clear()
    if most - before > STALL_MEMORY:
        raise Failed(f"the broker grew by {most - before:.0f} MB while clients did not read")
    return most - before


def _await_end(client: StreamClient) -> None:
    """Read until the stream is ended from the other side, too: whoever dies before has not seen the client's end."""
    until = time.monotonic() + PATIENCE
    while client.attached:
        client.read(0.05)
        if time.monotonic() > until:
            raise Failed(f"the stream of {client.user}/{client.resource} is not ended")


def _come(client: StreamClient) -> None:
    try:
        wait_until(client.go_on, PATIENCE)
    except LaunchError:
        raise Failed(f"{client.user}/{client.resource} cannot log in") from None
