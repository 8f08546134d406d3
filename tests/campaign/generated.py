"""Sends a running broker requests that schemathesis makes of the description of its API, as each of three who ask.

    python -m tests.campaign.generated --seconds 120

They are an administrator, one who may only look on, and nobody. Each answer is checked against ``docs/openapi.json``;
the broker has data, and has to live on without a failure in its log. Ends with status 1 where that is false.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.admin.api.generated import CHECKS
from tests.campaign import api_hooks
from tests.page.population import ADMINISTRATOR, MONITOR, NOBODY, PASSWORD, SETTINGS, populate
from tests.system.http_client import ask_port
from tests.system.launcher import BrokerProcess

DOCUMENT = Path(__file__).parents[2] / "docs" / "openapi.json"
ENDING = ("shutDown", "setRunLevel")
"""Operations after which there would be nothing left to ask."""
STREAMS = ("followStream", "followMessages", "listEvents")
"""Their answers do not end; tests/admin/api/test_generated_requests.py has them."""
PER_SECOND = 45
"""Requests; the broker answers 50 a second."""


def token_of(broker: BrokerProcess, user: str) -> str:
    """Make a token."""
    host, port = broker.address("ADMIN")
    headers = {"Content-Type": "application/json", "Origin": f"http://{host}:{port}"}
    login = ask_port(
        (host, port), "/api/v1/login", "POST", headers, json.dumps({"user": user, "password": PASSWORD}).encode()
    )
    headers |= {"Cookie": login.headers["set-cookie"].partition(";")[0], "X-Broker-CSRF": login.json["csrfToken"]}
    made = ask_port((host, port), "/api/v1/tokens", "POST", headers, b'{"name": "tests"}')
    token: str = made.json["token"]
    return token


def ask(broker: BrokerProcess, token: str, kept: Sequence[str], seconds: int, seed: int | None) -> bool:
    """Send requests of one who asks.

    Args:
        broker: that is asked.
        token: of who asks; empty for nobody.
        kept: names of accounts and ids of tokens that must stay as they are.
        seconds: that it takes.
        seed: of the requests.

    Returns:
        Whether all answers were as they have to be.
    """
    host, port = broker.address("ADMIN")
    command = [str(Path(sys.executable).parent / "schemathesis"), "run", str(DOCUMENT)]
    command += ["--url", f"http://{host}:{port}", "--checks", ",".join(CHECKS), "--continue-on-failure"]
    command += ["--max-time", str(seconds), "--rate-limit", f"{PER_SECOND}/s", "--warnings", "off"]
    command += [part for each in (*ENDING, *STREAMS) for part in ("--exclude-operation-id", each)]
    if token:
        command += ["--header", f"Authorization: Bearer {token}"]
    if seed is not None:
        command += ["--seed", str(seed)]
    environment = {"SCHEMATHESIS_HOOKS": api_hooks.__name__, api_hooks.KEPT: ",".join(kept)}
    return subprocess.run(command, cwd=broker.data.parent, env={**os.environ, **environment}).returncode == 0


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=120, help="for each of the three (default 120)")
    parser.add_argument("--seed", type=int, help="that schemathesis told of a former run")
    options = parser.parse_args()
    wrong = []
    with tempfile.TemporaryDirectory(prefix="broker-api-") as directory:
        broker = BrokerProcess(Path(directory) / "data", settings=SETTINGS)
        broker.add_accounts(ADMINISTRATOR, MONITOR, NOBODY)
        with broker:
            populate(broker)
            tokens = {user: token_of(broker, user) for user in (ADMINISTRATOR, MONITOR)}
            kept = [*tokens, *(token.split("_")[1] for token in tokens.values())]
            for user in (ADMINISTRATOR, MONITOR, ""):
                print(f"== {user or 'nobody'}", flush=True)
                if not ask(broker, tokens.get(user, ""), kept, options.seconds, options.seed):
                    wrong.append(f"answers to {user or 'nobody'}")
            if not broker.running or "Traceback" in broker.log():
                wrong.append("the log")
                print(broker.log())
    print(f"wrong: {', '.join(wrong)}" if wrong else "all answers are as the description says")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
