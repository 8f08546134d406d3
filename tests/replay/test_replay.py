"""What real clients sent to the real server gets equivalent answers from the broker, so that they are content with it.

Every difference stands here, and with its reason in ``docs/native-protocol.md``; one that goes or comes anew fails.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.replay.capture import captured, load
from tests.replay.player import Player
from tests.system.launcher import BrokerProcess

pytestmark = pytest.mark.system

REDACTED = re.compile(
    r"\d+ connect: qos/securityService: '<user>(\w+)</user> <passwd>secret</passwd>' recorded,"
    r" '<user>\1</user><passwd></passwd>' ours"
)
"""No answer repeats a password."""

LOWERED = re.compile(r"\d+ connect: qos/queue\[@relating='callback'\]/@max\w+: '\d+' recorded, '\d+' ours")
"""The answer tells the limits of a queue that hold, where the client asked for more."""

DIFFERENCES: dict[str, list[str]] = {
    "java-badlogin": ["0 connect: b'resource.configuration' recorded, b'user.illegalArgument' ours"],
    "java-basic-zlib-stream": [
        # The settings of the callback are repeated as they were given.
        "0 connect: qos/queue[@relating='callback']/callback/compress: ours only",
        # The recorded server still had three topics of earlier programs.
        "13 get: 6 units recorded, 3 ours",
    ],
    "java-exceptions": [
        "11 subscribe: b'internal.illegalArgument' recorded, b'user.oid.unknown' ours",
        "12 subscribe: b'resource.configuration' recorded, b'resource.configuration.pluginFailed' ours",
    ],
    "java-maxsessions": [
        "2 connect: b'user.security.authentication.accessDenied' recorded, b'user.configuration.maxSession' ours"
    ],
}

VARIABLE = " get: content "
"""Numbers and lists that an administrator asks for differ between servers and runs."""


@pytest.mark.parametrize("name", captured())
def test_recorded_client_gets_equivalent_answers(tmp_path: Path, name: str) -> None:
    conversation = load(name)
    settings = {
        "cluster.node.id": "heron",
        "Security.Server.Plugin.htpasswd.secretfile": "NONE",
        "plugin/socket/port": "0",
        "admin.users": "joe,que",  # the recorded server told everybody what is for administrators here
    }
    if conversation.compressed:
        settings["plugin/socket/compress/type"] = "zlib:stream"
    with (
        BrokerProcess(tmp_path / "data", settings=settings) as broker,
        Player(broker.address(), compressed=conversation.compressed) as player,
    ):
        found = player.play(conversation, hang_up_late=name == "java-maxsessions")
    if name == "java-queries":
        found = [each for each in found if VARIABLE not in each]
    assert [each for each in found if not (REDACTED.fullmatch(each) or LOWERED.fullmatch(each))] == DIFFERENCES.get(
        name, []
    )
