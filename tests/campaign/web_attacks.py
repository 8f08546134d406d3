"""Attacks on the doors over HTTP: WebSocket and BOSH."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import repeat

from wsproto.frame_protocol import Opcode

from broker.xmpp.wire import ns
from tests.campaign.attack import Attack, NotRefused, Stage, closed, pour, shut
from tests.campaign.native_attacks import LAUGHS, MEGABYTE, drip
from tests.campaign.talkers import Ended, Line
from tests.net.http.websocket.client import frame

REQUEST_SECONDS = 30
"""Until a request must be complete, and a message."""
OPEN = f"<open xmlns='{ns.FRAMING}' to='localhost' version='1.0'/>".encode()
HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: xmpp\r\n"
)
FRAMES = {
    "without a mask": (frame(Opcode.TEXT, OPEN, mask=False), 1002),
    "compressed": (frame(Opcode.TEXT, OPEN, reserved=0x40), 1002),
    "binary": (frame(Opcode.BINARY, OPEN), 1003),
    "not UTF-8": (frame(Opcode.TEXT, b"\xff\xfe"), 1007),
    "a part of nothing": (frame(Opcode.CONTINUATION, OPEN), 1002),
    "a long ping": (frame(Opcode.PING, b"x" * 200), 1002),
    "more than its length": (b"\x81\xff" + (1 << 40).to_bytes(8, "big") + b"\0\0\0\0" + b"x" * 20_000, 1009),
    "fragments": (frame(Opcode.TEXT, b"<", last=False) + frame(Opcode.CONTINUATION, b"", last=False) * 100, 1008),
    "pings": (frame(Opcode.PING, b"") * 200, 1008),
}
MESSAGES = {
    "two elements": b"<a/><a/>",
    "half an element": b"<a>",
    "an entity": b"<a>&lol;</a>",
    "billion laughs": b"<!DOCTYPE s [" + LAUGHS[:2000] + b"]><s>&l9;</s>",
    "a comment": b"<!-- x -->",
    "white space": b" ",
    "a zero byte": b"<a/>\0<a/>",
    "deep nesting": b"<a>" * 200 + b"</a>" * 200,
    "a prefix of nobody": b"<x:a/>",
}
BOSH = b"/http-bind"
FIRST = f"<body xmlns='{ns.BOSH}' rid='1' to='localhost' wait='60' hold='1'/>".encode()
BODIES = {
    "nothing": b"",
    "no XML": b"x" * 100,
    "billion laughs": b"<!DOCTYPE body [" + LAUGHS + b"]>" + FIRST,
    "no rid": f"<body xmlns='{ns.BOSH}'/>".encode(),
    "a long rid": f"<body xmlns='{ns.BOSH}' rid='{'9' * 1000}'/>".encode(),
    "many attributes": f"<body xmlns='{ns.BOSH}' rid='1'".encode()
    + b"".join([b" a%d=''" % n for n in range(2000)])
    + b"/>",
    "many elements": FIRST[:-2] + b">" + b"<a/>" * 10_000 + b"</body>",
    "deep nesting": FIRST[:-2] + b">" + b"<a>" * 10_000 + b"</a>" * 10_000 + b"</body>",
    "cut off": FIRST[:-2],
}


def upgraded(stage: Stage) -> Line:
    """A connection that was upgraded to WebSocket."""
    line = stage.line("WEB")
    line.write(HANDSHAKE + b"\r\n")
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += line.some()
    if not answer.startswith(b"HTTP/1.1 101 "):
        raise NotRefused(f"the attacker is not even let in: {answer!r}")
    return line


def frames(stage: Stage) -> str:
    """Frames that nobody may send."""
    codes = set()
    for _ in range(stage.count(10)):
        for name, (data, code) in FRAMES.items():
            with upgraded(stage) as line:
                with suppress(Ended):
                    line.write(data)
                words = closed(line)
                if b"\x88" not in words or code.to_bytes(2, "big") not in words:
                    raise NotRefused(f"{name}: not closed with {code} but {words[-100:]!r}")
                codes.add(code)
    return ", ".join(map(str, sorted(codes)))


def messages(stage: Stage) -> str:
    """Messages that are no stanzas."""
    for _ in range(stage.count(10)):
        for name, message in MESSAGES.items():
            with upgraded(stage) as line:
                line.write(frame(Opcode.TEXT, OPEN) + frame(Opcode.TEXT, message))
                words = b""
                with suppress(Ended):
                    while b"<close" not in words:
                        words += line.some()
                    line.write(frame(Opcode.CLOSE, b"\x03\xe8"))  # else the broker waits for it
                words += closed(line)
                if b"<stream:error" not in words or b"<close" not in words:
                    raise NotRefused(f"{name}: no stream error but {words[-300:]!r}")
    return "stream errors"


def endless_message(stage: Stage) -> str:
    """One message in frames without end."""
    taken = 0
    for _ in range(stage.count(10)):
        with upgraded(stage) as line:
            line.write(frame(Opcode.TEXT, b"<a>", last=False))
            taken += pour(line, repeat(frame(Opcode.CONTINUATION, b"x" * 60_000, last=False)), 64 * MEGABYTE)
    return f"{taken // 1000} kB taken"


def handshakes(stage: Stage) -> str:
    """Headers without end, and what is no handshake."""
    statuses = set()
    wrong = {
        "endless headers": HANDSHAKE + b"".join([b"X-%d: %b\r\n" % (n, b"x" * 100) for n in range(1000)]) + b"\r\n",
        "another host": HANDSHAKE.replace(b"localhost", b"elsewhere.example") + b"\r\n",
        "another origin": HANDSHAKE + b"Origin: https://elsewhere.example\r\n\r\n",
        "another version": HANDSHAKE.replace(b": 13", b": 8") + b"\r\n",
        "another protocol": HANDSHAKE.replace(b": xmpp", b": mqtt") + b"\r\n",
    }
    for _ in range(stage.count(10)):
        for name, data in wrong.items():
            with stage.line("WEB") as line:
                with suppress(Ended):
                    line.write(data)
                answer = line.some()
                if not answer.startswith(b"HTTP/1.1 4"):
                    raise NotRefused(f"{name}: {answer[:100]!r}")
                statuses.add(answer[9:12].decode())
    return ", ".join(sorted(statuses))


def posted(line: Line, path: bytes, body: bytes) -> bytes:
    """The answer to a request, up to the end of the connection."""
    head = b"POST %b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
    with suppress(Ended):
        line.write(head % (path, len(body)) + body)
    return closed(line)


def hostile_bodies(
    port: str, path: bytes, bodies: Mapping[str, bytes], is_refused: Callable[[bytes], bool], outcome: str
) -> Callable[[Stage], str]:
    """Bodies that are none.

    Args:
        port: name of the port.
        path: that they are posted to.
        bodies: by what is wrong with them.
        is_refused: whether an answer says so.
        outcome: how they are refused, in a word.
    """

    def attack(stage: Stage) -> str:
        for _ in range(stage.count(10)):
            for name, body in bodies.items():
                with stage.line(port) as line:
                    answer = posted(line, path, body)
                    if not is_refused(answer):
                        raise NotRefused(f"{name}: {answer[:300]!r}")
        return outcome

    return attack


def long_bodies(port: str, path: bytes) -> Callable[[Stage], str]:
    """Bodies that are much too long, with a length and without.

    Args:
        port: name of the port.
        path: that they are posted to.
    """

    def attack(stage: Stage) -> str:
        for _ in range(stage.count(10)):
            for head in (b"Content-Length: 100000000", b"Transfer-Encoding: chunked"):
                with stage.line(port) as line:
                    line.write(b"POST %b HTTP/1.1\r\nHost: localhost\r\n%b\r\n\r\n" % (path, head))
                    pour(line, repeat(b"10000\r\n" + b"x" * 0x10000 + b"\r\n"), 64 * MEGABYTE)
        return "413"

    return attack


def sessions(stage: Stage) -> str:
    """Sessions of which none logs in."""
    refused = 0
    for _ in range(stage.count(3000)):
        with stage.line("WEB") as line:
            refused += b"policy-violation" in posted(line, BOSH, FIRST)
    return f"{refused} refused"


def slow(data: bytes, seconds: float) -> Callable[[Stage], str]:
    """Bytes that come one by one."""
    return lambda stage: drip(stage, "WEB", data, seconds)


def slow_messages(stage: Stage) -> str:
    """Messages of which a byte comes now and then, over connections that were upgraded."""
    lines = [upgraded(stage) for _ in range(stage.count(200))]
    for line in lines:
        line.write(frame(Opcode.TEXT, b"<", last=False))
    began = time.monotonic()
    alive = lines
    while alive and time.monotonic() - began < REQUEST_SECONDS + 10:
        time.sleep(1.0)
        alive = [line for line in alive if _is_fed(line)]
    shut(lines)
    if alive:
        raise NotRefused(f"{len(alive)} of {len(lines)} are open")
    return f"closed in {time.monotonic() - began:.0f} s"


def _is_fed(line: Line) -> bool:
    try:
        line.write(frame(Opcode.CONTINUATION, b"x", last=False))
    except Ended:
        return False
    return True


def _is_refused(answer: bytes) -> bool:
    return answer.startswith(b"HTTP/1.1 400 ") or b"type='terminate'" in answer


ATTACKS = (
    Attack("HTTP: hostile handshakes", handshakes),
    Attack("WebSocket: hostile frames", frames),
    Attack("WebSocket: hostile messages", messages),
    Attack("WebSocket: endless message", endless_message),
    Attack("WebSocket: slow messages", slow_messages, slow=True),
    Attack("HTTP: slow loris", slow(HANDSHAKE, REQUEST_SECONDS + 10), slow=True),
    Attack("BOSH: hostile bodies", hostile_bodies("WEB", BOSH, BODIES, _is_refused, "400")),
    Attack("BOSH: oversize bodies", long_bodies("WEB", BOSH)),
    Attack("BOSH: sessions without a login", sessions),
)
