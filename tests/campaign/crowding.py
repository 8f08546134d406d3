"""Attacks by work: an account asks for as much as it may, again and again, so that others have to wait."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

from broker.errors import Code
from broker.native.wire.frames import Kind, Unit, encode_frame, encode_units
from broker.xmpp.wire import ns
from tests.campaign.attack import Attack, Stage, expect_response, outcome
from tests.campaign.talkers import NativeTalker

PATIENCE = 300.0
"""Seconds for all answers of an attack."""
PUBSUB = "pubsub.localhost"
NESTED = (b"<a>" * 60 + b"</a>" * 60) * 8
"""Of a key as large as it may be."""
QUERY = "<key queryType='XPATH'>//a//a[.='q']</key>"
TOPICS = 24
FILTERED = b"<r>" + (b"<a>" * 50 + b"</a>" * 50) * 3 + b"</r>"
FILTERS = 400
SESSIONS = 5
CROWD = tuple(f"crowd{number}" for number in range(50))
"""Accounts of one attacker."""
UNPREPARED = "the attacker cannot prepare"


def pipeline(talker: NativeTalker, method: bytes, units: list[Unit]) -> bytes:
    """Send so many requests in one piece; returns the id of the last one."""
    frames = [
        encode_frame(Kind.INVOKE, b"p%d" % number, method, talker.secret, encode_units([unit]))
        for number, unit in enumerate(units)
    ]
    talker.write(b"".join(frames))
    return b"p%d" % (len(units) - 1)


def last(talker: NativeTalker, id: bytes) -> str:
    """How the last request of a pipeline is answered, in a word."""
    return outcome(talker.answer(id, PATIENCE))


def make_topics(talker: NativeTalker, keys: Iterator[bytes]) -> None:
    """Make topics that stay, some hundred with each request."""
    units = [Unit(b"<qos><topic destroyDelay='-1'/></qos>", key, b"x") for key in keys]
    for start in range(0, len(units), 500):
        expect_response(talker.call(b"publish", *units[start : start + 500]), UNPREPARED)


def erase_all(talker: NativeTalker) -> str:
    """Erase every topic that has a key of an attack."""
    id = talker.request(b"erase", Unit(b"<qos/>", b"<key queryType='XPATH'>//a</key>"))
    return outcome(talker.answer(id, PATIENCE))


def queries(connections: int) -> Callable[[Stage], str]:
    """Queries that take as long as they may, in one pipeline on each of some connections of one account."""

    def attack(stage: Stage) -> str:
        with ExitStack() as stack:
            talkers = [stack.enter_context(stage.native_client(f"attacker/{n}")) for n in range(1, connections + 1)]
            make_topics(talkers[0], (b"<key oid='x%d'>%b</key>" % (n, NESTED) for n in range(TOPICS)))
            units = [Unit(b"<qos/>", QUERY.encode())] * stage.count(60)
            ids = [pipeline(talker, b"get", units) for talker in talkers]
            outcomes = {last(talker, id) for talker, id in zip(talkers, ids, strict=True)}
            erase_all(talkers[0])
        return ", ".join(sorted(outcomes))

    return attack


def many_accounts(stage: Stage) -> str:
    """The same of many accounts, each with a pipeline of its own."""
    return _crowd(stage, stage.native_client)


def many_accounts_of_one_address(stage: Stage) -> str:
    """The same from an address that is not this machine's own, as far as the broker knows."""
    return _crowd(stage, stage.native_client_of_network)


def _crowd(stage: Stage, connect: Callable[[str], NativeTalker]) -> str:
    with ExitStack() as stack:
        owner = stack.enter_context(connect("attacker/1"))
        make_topics(owner, (b"<key oid='x%d'>%b</key>" % (n, NESTED) for n in range(TOPICS)))
        talkers = [stack.enter_context(connect(f"{name}/1")) for name in CROWD]
        units = [Unit(b"<qos/>", QUERY.encode())] * stage.count(10)
        ids = [pipeline(talker, b"get", units) for talker in talkers]
        outcomes = {last(talker, id) for talker, id in zip(talkers, ids, strict=True)}
        erase_all(owner)
    return ", ".join(sorted(outcomes))


def many_topics(stage: Stage) -> str:
    """Requests that look at all topics, of which there are as many as an account may have."""
    count = stage.count(10_000)
    with stage.native_client("attacker/1") as talker, stage.xmpp_client() as xmpp:
        make_topics(talker, (b"<key oid='n%d'><a/></key>" % number for number in range(count)))
        for payload in (
            f"<pubsub xmlns='{ns.PUBSUB}'><affiliations/></pubsub>",
            f"<query xmlns='{ns.DISCO_ITEMS}'/>",
        ):
            asked = stage.count(20)
            xmpp.write("".join(f"<iq type='get' id='{n}' to='{PUBSUB}'>{payload}</iq>" for n in range(asked)).encode())
            for _ in range(asked):
                xmpp.element("iq", patience=PATIENCE)
        units = [Unit(b"<qos/>", b"<key queryType='XPATH'>//a</key>")] * stage.count(5)
        outcomes = {last(talker, pipeline(talker, method, units)) for method in (b"get", b"subscribe", b"unSubscribe")}
        outcomes.add(erase_all(talker))
    return ", ".join(sorted(outcomes))


def filters(stage: Stage) -> str:
    """A pipeline of messages of which each is looked at by filters that take as long as they may."""
    with stage.native_client("attacker/1") as talker:
        for number in range(stage.count(FILTERS)):
            qos = f"<qos><filter type='XPathFilter'>//a//a[.='{number}']</filter></qos>".encode()
            answer = talker.call(b"subscribe", Unit(qos, b"<key oid='filtered'/>"))
            if outcome(answer) == Code.RESOURCE_EXHAUST:
                break
            expect_response(answer, UNPREPARED)
        key = b"<key oid='filtered' contentMime='text/xml'/>"
        units = [Unit(b"<qos/>", key, FILTERED + b" " * number) for number in range(stage.count(100))]
        answered = last(talker, pipeline(talker, b"publish", units))
        talker.call(b"erase", Unit(b"<qos><erase forceDestroy='true'/></qos>", b"<key oid='filtered'/>"))
    return answered


ATTACKS = (
    Attack("work: a pipeline of queries", queries(1)),
    Attack("work: pipelines of queries on many connections", queries(SESSIONS)),
    Attack("work: pipelines of queries of many accounts", many_accounts),
    Attack("work: the same of one address", many_accounts_of_one_address, needs_network=True),
    Attack("work: requests about many topics", many_topics),
    Attack("work: a pipeline for many filters", filters),
)
