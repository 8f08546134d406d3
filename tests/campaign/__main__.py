"""Kills the broker again and again while clients of both kinds talk, and compares what they got with a model.

    python -m tests.campaign --kills 200 --seconds 300 --store both --seed 7

What was acknowledged must not be lost: XMPP clients get each message once and in order, native ones each acknowledged
message, repeats marked; what an iq result confirmed is there. At the end nothing may be left that nobody owns. Ends
with status 1, and says how to repeat it, where a promise is broken.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import shutil
import subprocess
import sys
import tempfile
import threading
from dataclasses import asdict
from pathlib import Path

from tests.campaign.campaign import Campaign, Outcome
from tests.campaign.checks import Failed
from tests.campaign.participants import Participants, add_options, participants_of
from tests.campaign.summary import failures, table
from tests.system.launcher import LaunchError

STORES = ("sqlite", "postgresql")
SHARES = {"sqlite": 0.75, "postgresql": 0.25}
LONGEST = 400
"""Rounds of a campaign; more are several of them, each with a seed of its own and compared at its end."""


def main() -> None:
    """Run the campaign of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.campaign", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=200, help="rounds of faults (200)")
    parser.add_argument("--seconds", type=float, default=math.inf, help="end the rounds after so long")
    parser.add_argument("--store", choices=(*STORES, "both"), default="both", help="both: three quarters on SQLite")
    parser.add_argument("--seed", type=int, default=None, help="repeat what another run did by chance")
    add_options(parser)
    parser.add_argument("--markdown", action="store_true", help="print the summary for a document")
    parser.add_argument("--outcome", type=Path, default=None, help=argparse.SUPPRESS)
    given = parser.parse_args()
    seed = random.SystemRandom().randrange(10**6) if given.seed is None else given.seed
    participants = participants_of(given)
    print(f"seed {seed}", flush=True)
    if given.store == "both":
        outcomes = _run_both(given.kills, given.seconds, seed, participants)
    else:
        outcomes = _run_all(given.store, given.kills, given.seconds, seed, participants)
    if given.outcome is not None:
        given.outcome.write_text(json.dumps([asdict(each) for each in outcomes]))
    else:
        print("\n".join([table(outcomes, markdown=given.markdown), *failures(outcomes)]), flush=True)
    sys.exit(any(each.failed for each in outcomes))


def _run_all(store: str, kills: int, seconds: float, seed: int, participants: Participants) -> list[Outcome]:
    """As many campaigns as it takes, up to one that fails."""
    parts = -(-kills // LONGEST)
    outcomes: list[Outcome] = []
    while len(outcomes) < parts and not any(each.failed for each in outcomes):
        part = len(outcomes)
        rounds = kills * (part + 1) // parts - kills * part // parts
        outcomes.append(_run(store, rounds, seconds / parts, seed + part, participants))
    return outcomes


def _run(store: str, kills: int, seconds: float, seed: int, participants: Participants) -> Outcome:
    directory = Path(tempfile.mkdtemp(prefix=f"broker-crash-{store}-"))
    campaign = Campaign(
        store,
        kills,
        seed,
        directory,
        lambda line: print(line, flush=True),
        seconds=seconds,
        participants=participants,
    )
    try:
        campaign.run()
    except (Failed, LaunchError) as failed:
        campaign.outcome.failed = str(failed)
        print(
            f"FAILED: {failed}\nto repeat: --store {store} --kills {kills} --seconds {seconds:g} --seed {seed}"
            f" {' '.join(participants.options)}; the data are in {directory}",
            file=sys.stderr,
            flush=True,
        )
    else:
        shutil.rmtree(directory, ignore_errors=True)
    return campaign.outcome


def _run_both(kills: int, seconds: float, seed: int, participants: Participants) -> list[Outcome]:
    """One process for each store, side by side."""
    with tempfile.TemporaryDirectory() as scratch:
        running = []
        for store in STORES:
            path = Path(scratch) / store
            count = str(max(1, round(kills * SHARES[store])))
            command = ["--store", store, "--kills", count, "--seconds", str(seconds), "--seed", str(seed)]
            command += [*participants.options, "--outcome", str(path)]
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.campaign", *command],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            teller = threading.Thread(target=_retell, args=(store, process))
            teller.start()
            running.append((store, path, process, teller))
        outcomes = []
        for store, path, process, teller in running:
            teller.join()
            process.wait()
            if path.exists():
                outcomes += [Outcome(**each) for each in json.loads(path.read_text())]
            else:
                outcomes.append(Outcome(store, seed, failed=f"the campaign ended with status {process.returncode}"))
        return outcomes


def _retell(store: str, process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        print(f"{store:10}  {line}", end="", flush=True)


if __name__ == "__main__":
    main()
