"""Attacks on the native protocol."""

from __future__ import annotations

import threading
import time
import zlib
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

from broker.errors import Code
from broker.native.wire.frames import Kind, Unit, encode_frame, encode_units
from tests.campaign.attack import (
    COMPRESSED,
    LOGIN_SECONDS,
    Attack,
    NotRefused,
    Stage,
    closed,
    expect_response,
    open_after,
    outcome,
    pour,
    refused,
    shut,
    stuff,
)
from tests.campaign.talkers import Ended, Line, NativeTalker, Silent

MEGABYTE = 1 << 20
TOGETHER = 40
"""Connections that an attack has at once."""
ILLEGAL = Code.USER_ILLEGAL_ARGUMENT
LAUGHS = b"".join(b"<!ENTITY l%d '%s'>" % (n, b"&l%d;" % (n - 1) * 10 if n else b"lol") for n in range(10))
DOCUMENTS = {
    "billion laughs": b"<!DOCTYPE key [" + LAUGHS + b"]><key oid='a'>&l9;</key>",
    "external entity": b"<!DOCTYPE key [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><key oid='a'>&x;</key>",
    "endless name": b"<key oid='a'><" + b"n" * MEGABYTE + b"/></key>",
    "endless attribute": b"<key oid='a'><n a='" + b"x" * MEGABYTE + b"'/></key>",
    "many attributes": b"<key oid='a'><n" + b"".join(b" a%d=''" % n for n in range(20_000)) + b"/></key>",
    "many elements": b"<key oid='a'>" + b"<n/>" * 100_000 + b"</key>",
    "deep nesting": b"<key oid='a'>" + b"<n>" * 50_000 + b"</n>" * 50_000 + b"</key>",
    "invalid UTF-8": b"<key oid='\xc3\x28\xff'><n/></key>",
    "UTF-16": "<key oid='a'><n/></key>".encode("utf-16").replace(b"\0", b" "),
    "cut off": b"<key oid='a'><n>",
}
BAD_FRAMES = {
    "no number": b"   garbage" + b"x" * 50,
    "negative": b"       -20" + b"x" * 50,
    "too small": b"        12" + b"x" * 50,
    "no type": b"        30\0\0X\0\x001" + b"\0" * 20,
    "no header": b"        40\0\0I\0\x001" + b"x" * 24,
    "length of content": encode_frame(Kind.INVOKE, b"1", b"connect", b"", b"<qos/>\0<key/>\x00999999999\0x"),
    "negative content": encode_frame(Kind.INVOKE, b"1", b"connect", b"", b"<qos/>\0<key/>\0-1\0x"),
    "units": encode_frame(Kind.INVOKE, b"1", b"connect", b"", b"\0\0\0" * 20_000),
}


def documents(stage: Stage) -> str:
    """Every hostile document as a key, in each method that takes one."""
    with stage.native_client() as talker:
        for _ in range(stage.count(20)):
            for document in DOCUMENTS.values():
                units = [(method, Unit(b"<qos/>", document, b"x")) for method in (b"publish", b"subscribe", b"get")]
                units.append((b"publish", Unit(document.replace(b"key", b"qos"), b"<key oid='a'/>", b"x")))
                for method, unit in units:
                    refused(talker.call(method, unit), ILLEGAL)
                stage.requests += len(units)
    return ILLEGAL


def broken_frames(stage: Stage) -> str:
    """Every broken frame on a connection of its own, many of them at once: a refused login is closed after a while."""
    frames = list(BAD_FRAMES.values()) * stage.count(50)
    for start in range(0, len(frames), TOGETHER):
        with ExitStack() as stack:
            talkers = [(stack.enter_context(stage.native()), frame) for frame in frames[start : start + TOGETHER]]
            for talker, frame in talkers:
                talker.write(frame)
            for talker, frame in talkers:
                words = closed(talker)
                if words and b"\0E\0" not in words:
                    raise NotRefused(f"{frame[:60]!r} is answered: {words[:200]!r}")
    return "closed"


def oversize_frames(stage: Stage) -> str:
    """Frames longer than they may be before the login, and after it."""
    for size in (b"     65537", b"9999999999"):
        with stage.native() as talker:
            talker.write(size)
            closed(talker)
    with stage.native_client() as talker:
        talker.write(b"%10d" % (64 * MEGABYTE + 1))
        closed(talker)
    return "closed at the length"


def wrong_order(stage: Stage) -> str:
    """Requests before the login, with a guessed session, and a second login."""
    for method in (b"publish", b"subscribe", b"get", b"erase", b"unSubscribe", b"disconnect"):
        with stage.native() as talker:
            talker.secret = b"sessionId:127.0.0.1-null-1"
            refused(
                talker.call(method, Unit(b"<qos/>", b"<key oid='a'/>", b"x")),
                Code.USER_NOT_CONNECTED,
                Code.USER_ACCESS_DENIED,
                Code.INTERNAL_ILLEGAL_ARGUMENT,
            )
    with stage.native_client() as talker:
        refused(talker.log_in("attacker/2"), Code.USER_CONNECT_MULTIPLE)
        refused(talker.call(b"shutdown", Unit(b"<qos/>")), Code.INTERNAL_NOT_IMPLEMENTED)
    return Code.USER_NOT_CONNECTED


def impossible_numbers(stage: Stage) -> str:
    """Numbers that no database has room for."""
    with stage.native() as talker:
        code = refused(talker.log_in("attacker/99999999999999999999", more="<persistent/>"), ILLEGAL)
    with stage.native_client() as talker:
        qos = b"<qos><persistent/><expiration lifeTime='9223372036854775807'/></qos>"
        answer = talker.call(b"publish", Unit(qos, b"<key oid='numbers'/>", b"x"))
        if answer.kind is Kind.EXCEPTION:
            refused(answer, ILLEGAL)
        talker.call(b"erase", Unit(b"<qos/>", b"<key oid='numbers'/>"))
    return code


def long_names(stage: Stage) -> str:
    """Names as long as they may be, each time another one, which nothing may keep."""
    with stage.native_client("attacker/7") as talker:
        for number in range(stage.count(400)):
            name = f"n{number}" + "x" * 900_000
            qos = f"<qos><destination>{name}</destination></qos>".encode()
            refused(talker.call(b"publish", Unit(qos, b"<key oid='a'/>", b"x")), ILLEGAL)
            key = f"<key oid='{name}'/>".encode()
            talker.call(b"publish", Unit(b"<qos/>", key, b"x"))
            talker.call(b"erase", Unit(b"<qos/>", key))
            stage.requests += 1
    return f"{ILLEGAL}, or erased"


def new_names(stage: Stage) -> str:
    """More names of elements than libxml2 may ever see; others can still use new ones."""
    with stage.native_client("attacker/8") as talker:
        for number in range(stage.count(100)):
            meta = b"".join(b"<n%d/>" % name for name in range(number * 1500, (number + 1) * 1500))
            talker.call(b"publish", Unit(b"<qos/>", b"<key oid='names%d'>%b</key>" % (number, meta), b"x"))
            talker.call(b"erase", Unit(b"<qos/>", b"<key oid='names%d'/>" % number))
        answer = talker.call(b"publish", Unit(b"<qos/>", b"<key oid='more'><fresh/></key>", b"x"))
        expect_response(answer, "nobody can use a new name")
        talker.call(b"erase", Unit(b"<qos/>", b"<key oid='more'/>"))
    return "forgotten"


def slow_loris(stage: Stage) -> str:
    """Connections that send their login byte by byte."""
    return drip(stage, "SOCKET", encode_frame(Kind.INVOKE, b"1", b"connect", b"", b"x" * 500), LOGIN_SECONDS + 3)


def drip(stage: Stage, port: str, data: bytes, seconds: float) -> str:
    """Send bytes one by one over many connections, until all of them are closed."""
    lines = [stage.line(port) for _ in range(stage.count(500))]
    began = time.monotonic()
    position, alive = 0, lines
    while alive and time.monotonic() - began < seconds:
        alive = [line for line in alive if _fed(line, data[position : position + 1])]
        position = min(position + 1, len(data) - 1)
        time.sleep(0.1)
    left = open_after(alive, 2.0)
    shut(lines)
    if left:
        raise NotRefused(f"{left} of {len(lines)} are open after {seconds:.0f} s")
    return f"closed in {time.monotonic() - began:.0f} s"


def _fed(line: Line, byte: bytes) -> bool:
    try:
        line.write(byte)
    except Ended:
        return False
    return True


def silent(stage: Stage) -> str:
    """Thousands of connections that say nothing."""
    return say_nothing(stage, "SOCKET", LOGIN_SECONDS + 5)


def say_nothing(stage: Stage, port: str, seconds: float) -> str:
    """Connect again and again; all are to be refused or closed in time."""
    lines: list[Line] = []
    began = time.monotonic()
    for _ in range(stage.count(5000)):
        try:
            lines.append(stage.line(port))
        except OSError:
            continue
    left = open_after(lines, seconds)
    shut(lines)
    if left:
        raise NotRefused(f"{left} of {len(lines)} are open after {seconds:.0f} s")
    return f"closed in {time.monotonic() - began:.0f} s"


def bomb(stage: Stage) -> str:
    """Compressed data that expands a thousand times."""
    for _ in range(stage.count(20)):
        with stage.native(COMPRESSED) as talker:
            talker.write(zlib.compress(b"%10d" % 60_000 + bytes(200 * MEGABYTE), 9))
            closed(talker)
    with stage.native_client(name=COMPRESSED) as talker:
        # Within a frame that may be so long: 64 MB of zeros in 64 kB.
        body = b"<qos/>\0<key oid='bomb'/>\0%d\0" % (256 * MEGABYTE)
        head = b"%10d\0\0I\0\x001%b\0publish\0%b\0\0" % (256 * MEGABYTE, b"9", talker.secret)
        deflate = talker._deflate
        assert deflate is not None
        talker.write(deflate.write(head + body))
        pour(talker, (deflate.write(bytes(MEGABYTE)) for _ in range(256)))
        closed(talker)
    return "closed"


def never_reads(stage: Stage) -> str:
    """Requests without end whose answers are large, and nobody reads them."""
    with stage.native_client("attacker/3") as talker:
        talker.call(b"publish", Unit(b"<qos/>", b"<key oid='large'/>", b"x" * 200_000))
        request = encode_frame(
            Kind.INVOKE, b"9", b"get", talker.secret, encode_units([Unit(b"<qos/>", b"<key oid='large'/>")])
        )
        sent = stuff(talker, request * 100)
    with stage.native_client("attacker/4") as talker:
        talker.call(b"erase", Unit(b"<qos/>", b"<key oid='large'/>"))
    return f"not read after {sent // 1024} kB"


def logins(stage: Stage) -> str:
    """Wrong passwords as fast as they can be sent."""
    return storm(stage, partial(_fail_to_log_in, stage))


def storm(stage: Stage, attempt: Callable[[int], None]) -> str:
    """Try to log in from some threads at once, for some seconds."""
    until = time.monotonic() + stage.count(10)
    failures: list[str] = []
    tried = [0]

    def run(seed: int) -> None:
        number = seed
        while time.monotonic() < until and not failures:
            try:
                attempt(number)
            except (NotRefused, OSError, Silent) as error:
                failures.append(repr(error))
            except Ended:
                pass
            number += 1000
            tried[0] += 1

    threads = [threading.Thread(target=run, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise NotRefused(failures[0])
    return f"{tried[0]} refused"


def _fail_to_log_in(stage: Stage, number: int) -> None:
    with stage.native() as talker:
        answer = talker.log_in("attacker" if number % 2 else f"nobody{number}", password=f"guess{number}")
        refused(answer, Code.USER_ACCESS_DENIED, Code.RESOURCE_TEMPORARY_UNAVAILABLE)


def costly(kind: str, expressions: tuple[str, ...], content: bytes) -> Callable[[Stage], str]:
    """Filters that cost as much as they may, of many subscriptions, for messages as large as they may be."""

    def attack(stage: Stage) -> str:
        with stage.native_client("attacker/5") as talker:
            outcomes = {_subscribed(talker, kind, each) for each in expressions for _ in range(stage.count(20))}
            for _ in range(stage.count(5)):
                key = b"<key oid='costly' contentMime='text/xml'/>"
                answer = talker.answer(talker.request(b"publish", Unit(b"<qos/>", key, content)), 120.0)
                outcomes.add(outcome(answer, "published"))
            talker.call(b"erase", Unit(b"<qos><erase forceDestroy='true'/></qos>", b"<key oid='costly'/>"))
        return ", ".join(sorted(outcomes))

    return attack


def _subscribed(talker: NativeTalker, kind: str, expression: str) -> str:
    escaped = expression.replace("&", "&amp;").replace("<", "&lt;")
    qos = f"<qos><filter type='{kind}'>{escaped}</filter></qos>".encode()
    return outcome(talker.call(b"subscribe", Unit(qos, b"<key oid='costly'/>")), "accepted")


def costly_queries(stage: Stage) -> str:
    """XPath queries that cost as much as they may, over many topics whose keys are as large as they may be."""
    meta = b"<n a='b'>" * 40 + b"x" * 20_000 + b"</n>" * 40
    count = stage.count(100)
    outcomes = set()
    with stage.native_client("attacker/6") as talker:
        for number in range(count):
            talker.call(b"publish", Unit(b"<qos/>", b"<key oid='q%d'>%b</key>" % (number, meta), b"x"))
        for expression in QUERIES:
            key = f"<key queryType='XPATH'>{expression.replace('<', '&lt;')}</key>".encode()
            answer = talker.answer(talker.request(b"get", Unit(b"<qos/>", key)), 120.0)
            outcomes.add(outcome(answer))
        for number in range(count):
            talker.call(b"erase", Unit(b"<qos/>", b"<key oid='q%d'/>" % number))
    return ", ".join(sorted(outcomes))


QUERIES = (
    "//n//n//n//n//n//n",
    "//*[contains(., 'y')] | //*[contains(., 'z')]",
    "//n[. = 'a'] or //n[. = 'b'] or //n[. = 'c'] or //n[. = 'd'] or //n[. = 'e'] or //n[. = 'f'] or //n[. = 'g']",
    " or ".join(f"//*[normalize-space(.) = '{n}']" for n in range(15)),
)
XML_CONTENT = b"<a>" + (b"<b>" * 30 + b"x" * 100 + b"</b>" * 30) * 250 + b"</a>"
COSTLY_XPATHS = (
    "//*[contains(., 'y')]",
    "//b//b//b//b",
    "//b = //a",
    "//*[normalize-space(translate(., 'x', 'y')) = 'z']",
)
COSTLY_PATTERNS = (
    "(x+x+)+y",
    "(.*)(.*)(.*)(.*)(.*)z",
    "(?s)(a?){500}a{500}",
    "[a-z]{1,400}.{400}y",
    "(.{1,30}){1,30}y",
)
PATTERN_CONTENT = b"x" * (8 * MEGABYTE)


ATTACKS = (
    Attack("native: hostile XML in keys and QoS", documents),
    Attack("native: wrong sizes and types in frames", broken_frames),
    Attack("native: oversize frames", oversize_frames),
    Attack("native: wrong order", wrong_order),
    Attack("native: numbers beyond 64 bits", impossible_numbers),
    Attack("native: compressed bombs", bomb),
    Attack("native: ever new long names", long_names),
    Attack("native: ever new names of elements", new_names),
    Attack("native: costly XPath filters", costly("XPathFilter", COSTLY_XPATHS, XML_CONTENT)),
    Attack("native: costly regular expressions", costly("GnuRegexFilter", COSTLY_PATTERNS, PATTERN_CONTENT)),
    Attack("native: costly XPath queries", costly_queries),
    Attack("native: pipelines and never reads", never_reads),
    Attack("native: slow loris", slow_loris, slow=True),
    Attack("native: thousands that say nothing", silent, slow=True),
    Attack("native: login storm", logins),
)
