"""Definitions that are imported while the power goes."""

from __future__ import annotations

import json
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

from tests.system.http_client import HttpAnswer, ask_socket
from tests.system.launcher import BrokerProcess

pytestmark = [pytest.mark.system, pytest.mark.slow]

KILL_AT = "BROKER_KILL_AT"
VERIFIER = "4096$bWFya2Vy$bWFya2Vy$bWFya2Vy"
SECTIONS: dict[str, list[dict[str, object]]] = {
    "accounts": [{"name": f"user{number}", "scramSha1": VERIFIER, "scramSha256": VERIFIER} for number in range(20)],
    "topics": [
        {
            "oid": f"topic{number}",
            "key": f"<key oid='topic{number}'/>",
            "qos": "<qos><topic destroyDelay='-1'/></qos>",
        }
        for number in range(20)
    ],
    "properties": [{"name": "session.timeout", "value": "7s"}],
    "subjects": [{"name": "mary", "blocked": True}],
}


def ask(broker: BrokerProcess, path: str, *request: Any) -> HttpAnswer:
    """Ask over the socket."""
    return ask_socket(broker.admin_socket, f"/api/v1/{path}", *request)


def defined(broker: BrokerProcess) -> dict[str, int]:
    """How many objects there are of each section."""
    sections = ask(broker, "definitions").json["sections"]
    return {name: len(sections[name]) for name in SECTIONS}


def test_import_amid_which_the_broker_is_killed_is_there_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    body = json.dumps({"format": "broker-definitions/1", "sections": SECTIONS}).encode()
    nothing = dict.fromkeys(SECTIONS, 0)
    everything = {name: len(each) for name, each in SECTIONS.items()}
    with BrokerProcess(tmp_path / "data") as broker:
        for place, expected in (
            ("definitions half made", nothing),
            ("definitions committed", everything),
            ("properties noted", everything),
        ):
            broker.environment[KILL_AT] = place
            broker.restart()
            with pytest.raises((OSError, HTTPException)):
                ask(broker, "definitions?mode=replace", "POST", {"Content-Type": "application/json"}, body)
            del broker.environment[KILL_AT]
            broker.restart()
            assert defined(broker) == expected, place
            # and the next point begins with nothing of it
            cleared = json.dumps(
                {"format": "broker-definitions/1", "sections": {each: [] for each in SECTIONS}}
            ).encode()
            answer = ask(broker, "definitions?mode=replace", "POST", {"Content-Type": "application/json"}, cleared)
            assert answer.status == 200, answer.body
            assert defined(broker) == nothing
