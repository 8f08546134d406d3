"""Feeds a broker for a long time with names that it has never seen, and with logins; its memory must not grow.

    python -m tests.campaign.soak
    python -m tests.campaign.soak --stanzas 50000 --logins 1000

One XMPP stream sends stanzas, and one native client publishes messages; every one has new names of elements,
attributes and namespaces, new oids, keys and client properties; native topics are erased again. Then clients of both
protocols log in and out. Resident memory is sampled as it goes. Ends with status 1 where, after a warm-up of a fifth,
it grows by more than a bound.
"""

from __future__ import annotations

import argparse
import base64
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from broker.auth.scram import Mechanism
from broker.native.wire.frames import Kind, Unit
from broker.xmpp.wire import ns
from tests.campaign.resident import resident
from tests.campaign.scram_client import ScramClient
from tests.campaign.talkers import NativeTalker, XmppTalker
from tests.system.launcher import BrokerProcess, LaunchError

MAX_GROWTH = 24.0
"""Megabytes that resident memory may grow after the warm-up of a part."""
WARM_UP = 0.2
"""Part of the work after which memory is expected to stay as it is."""
SAMPLES = 20
BATCH = 200
"""Stanzas or requests that are on their way at once."""
USER = "soak"
SETTINGS = {
    "xmpp.plainWithoutTls": "true",
    "plugin/socket/loginTimeout": "300s",
}


@dataclass
class Course:
    """Memory in the course of one part.

    Args:
        name: of the part.
        samples: how much was done, and resident megabytes.
        seconds: that it took.
    """

    name: str
    samples: list[tuple[int, float]] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def growth(self) -> float:
        """Megabytes that came after the warm-up."""
        whole = self.samples[-1][0]
        warm = next(size for done, size in self.samples if done >= whole * WARM_UP)
        return self.samples[-1][1] - warm

    def __str__(self) -> str:
        done, first, last = self.samples[-1][0], self.samples[0][1], self.samples[-1][1]
        highest = max(size for _, size in self.samples)
        return (
            f"{self.name:<28} {done:>9} in {self.seconds:5.0f} s   {first:4.0f} MB at first, {highest:4.0f} at most, "
            f"{last:4.0f} at last; {self.growth:+.1f} after the warm-up"
        )


class Soak:
    """All parts on one broker, one after the other.

    Args:
        directory: for the broker's data.
        tell: takes a line for people.
    """

    def __init__(self, directory: Path, tell: Callable[[str], None]) -> None:
        self.broker = BrokerProcess(directory / "data", settings=SETTINGS)
        self._tell = tell

    def run(self, stanzas: int, logins: int, only: str = "") -> list[Course]:
        """Do so many stanzas, as many native messages, and so many logins in each way.

        Args:
            stanzas: how many.
            logins: how many.
            only: parts with this in their names.
        """
        parts: list[tuple[str, Callable[[str], Course]]] = [
            ("XMPP stanzas of new names", lambda name: self._xmpp_stanzas(name, stanzas)),
            ("native messages of new names", lambda name: self._native_messages(name, stanzas)),
            ("XMPP logins with PLAIN", lambda name: self._part(name, logins, self._plain_login)),
            ("XMPP logins with SCRAM", lambda name: self._part(name, logins, self._scram_login)),
            ("native logins", lambda name: self._part(name, logins, self._native_login)),
        ]
        self.broker.add_accounts(USER)
        with self.broker:
            return [run(name) for name, run in parts if only.lower() in name.lower()]

    def _part(self, name: str, count: int, step: Callable[[int], None], size: int = 1) -> Course:
        """Do a step for each number below a count, ``size`` numbers in one step."""
        course = Course(name, [(0, resident(self.broker.pid))])
        began = time.monotonic()
        every = max(count // SAMPLES, 1)
        due = every
        for number in range(0, count, size):
            step(number)
            done = number + size
            if done >= due:
                due += every
                course.samples.append((done, resident(self.broker.pid)))
                self._tell(f"{name}: {done}, {course.samples[-1][1]:.1f} MB, {time.monotonic() - began:.0f} s")
        course.seconds = time.monotonic() - began
        return course

    def _xmpp_stanzas(self, name: str, count: int) -> Course:
        with XmppTalker(self.broker.address("XMPP")) as talker:
            talker.log_in(USER)

            def step(number: int) -> None:
                talker.write(b"".join(map(_stanza, range(number, number + BATCH))))
                talker.write(f"<iq type='get' id='{number}' to='localhost'><ping xmlns='{ns.PING}'/></iq>".encode())
                while talker.element("iq").attributes["id"] != str(number):
                    pass

            return self._part(name, count, step, BATCH)

    def _native_messages(self, name: str, count: int) -> Course:
        with NativeTalker(self.broker.address()) as talker:
            _admitted(talker, f"{USER}/1")

            def step(number: int) -> None:
                ids = []
                for each in range(number, number + BATCH):
                    key, qos = _message(each)
                    ids.append(talker.request(b"publish", Unit(qos, key, b"<c%d/>" % each)))
                    ids.append(talker.request(b"get", Unit(b"<qos><history numEntries='%d'/></qos>" % each, key)))
                    ids.append(talker.request(b"erase", Unit(b"<qos/>", b"<key oid='oid%d'/>" % each)))
                for id in ids:
                    answer = talker.answer(id)
                    assert answer.kind is Kind.RESPONSE, answer

            return self._part(name, count, step, BATCH)

    def _plain_login(self, number: int) -> None:
        with XmppTalker(self.broker.address("XMPP")) as talker:
            talker.log_in(USER, f"r{number}")
            _leave(talker)

    def _scram_login(self, number: int) -> None:
        with XmppTalker(self.broker.address("XMPP")) as talker:
            talker.open()
            client = ScramClient(Mechanism.SHA_256, USER, "secret")
            first = base64.b64encode(client.first()).decode()
            talker.write(f"<auth xmlns='{ns.SASL}' mechanism='SCRAM-SHA-256'>{first}</auth>".encode())
            challenge = base64.b64decode(talker.element("challenge").tree().text)
            final = base64.b64encode(client.final(challenge)).decode()
            talker.write(f"<response xmlns='{ns.SASL}'>{final}</response>".encode())
            talker.element("success")
            talker.open()
            _leave(talker)

    def _native_login(self, number: int) -> None:
        with NativeTalker(self.broker.address()) as talker:
            _admitted(talker, USER)
            answer = talker.call(b"disconnect", Unit(b"<qos/>"))
            assert answer.kind is Kind.RESPONSE, answer


def _stanza(number: int) -> bytes:
    """A message, to nobody and to oneself by turns, with names that were never there."""
    to = f"{USER}@localhost/x" if number % 2 else f"nobody{number}@localhost"
    return (
        f"<message to='{to}' id='i{number}' type='chat' a{number}='v'><body>hello</body>"
        f"<e{number} xmlns='urn:n{number}' b{number}='c' xmlns:p{number}='urn:p{number}' p{number}:d{number}='e'/>"
        "</message>"
    ).encode()


def _message(number: int) -> tuple[bytes, bytes]:
    """Key and QoS with names that were never there."""
    key = f"<key oid='oid{number}' contentMime='text/m{number}' domain='d{number}'><k{number} a{number}='v'/></key>"
    qos = f"<qos><clientProperty name='p{number}' type='int'>{number}</clientProperty><x{number} y{number}='z'/></qos>"
    return key.encode(), qos.encode()


def _admitted(talker: NativeTalker, name: str) -> None:
    answer = talker.log_in(name)
    assert answer.kind is Kind.RESPONSE, answer


def _leave(talker: XmppTalker) -> None:
    talker.write(b"</stream:stream>")
    talker.last_words()


def main() -> None:
    """Run what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stanzas", type=int, default=1_000_000, help="and as many native messages (1000000)")
    parser.add_argument("--logins", type=int, default=10_000, help="in each way to log in (10000)")
    parser.add_argument("--only", default="", help="parts with this in their names")
    parser.add_argument("--growth", type=float, default=MAX_GROWTH, help=f"megabytes allowed ({MAX_GROWTH:.0f})")
    given = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="broker-soak-"))
    try:
        courses = Soak(directory, lambda line: print(line, flush=True)).run(given.stanzas, given.logins, given.only)
    except (LaunchError, AssertionError) as error:
        print(f"FAILED: {error!r}; the data are in {directory}", file=sys.stderr)
        sys.exit(1)
    print("\n".join(map(str, courses)))
    grown = [course for course in courses if course.growth > given.growth]
    for course in grown:
        print(f"FAILED: {course.name}: {course.growth:.1f} MB, {given.growth:.0f} are allowed", file=sys.stderr)
    shutil.rmtree(directory)
    sys.exit(1 if grown else 0)


if __name__ == "__main__":
    main()
