"""Plays what recorded connection managers have sent to the server's side of a link, and compares the answers."""

from __future__ import annotations

import ast
import base64
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from broker.xml.cutter import ElementCutter, Piece
from broker.xml.tree import Tree
from broker.xmpp.managers.settings import ManagerSettings, Secrets
from broker.xmpp.wire import ns, routes
from tests.xmpp.managers.world import SECRET, Link, ManagerWorld
from tests.xmpp.world import settings

CAPTURES = Path(__file__).parents[1] / "data" / "captures" / "openfire-managers"
DOMAIN = "example.test"
_HANDSHAKE = re.compile(rb"<handshake>[0-9a-f]*</handshake>")
_IDS = re.compile(r"\bcm1\w*:? ?|\b\d+-\d+: ?")
_PLAIN = re.compile(rb"""mechanism=['"]PLAIN['"][^>]*>([A-Za-z0-9+/=]+)<""")


def scenarios() -> list[str]:
    """The names of the recorded scenarios."""
    return sorted(path.stem for path in CAPTURES.glob("*.txt"))


@dataclass(frozen=True, slots=True)
class Line:
    """Something that happened.

    Args:
        link: on which link.
        event: ``>`` the manager sent, ``<`` the server sent, ``accept``, ``tls``, ``eof``, ``closed``.
        data: the bytes.
    """

    link: str
    event: str
    data: bytes = b""


def load(name: str) -> list[Line]:
    """What happened in a scenario."""
    lines = []
    for text in (CAPTURES / f"{name}.txt").read_text().splitlines():
        link, event, *rest = text.split(" ", 2)
        lines.append(Line(link, event, ast.literal_eval(rest[0]) if rest else b""))
    return lines


@dataclass(slots=True)
class Answers:
    """What a server has sent, by what it answers.

    Args:
        found: how often each answer came; messages and presence are none, as the recorded server knew no routing.
    """

    found: Counter[str] = field(default_factory=Counter)
    _cutters: dict[str, ElementCutter] = field(default_factory=dict)

    def add(self, link: str, data: bytes) -> None:
        """Take what was sent on a link."""
        cutter = self._cutters.setdefault(link, ElementCutter(1 << 24))
        if data.startswith((b"<?xml", b"<stream:stream")):
            cutter.restart()
        cutter.add(data)
        while (cut := cutter.next()) is not None:
            if isinstance(cut, Piece):
                for each in described(routes.read(cut.data)):
                    self.found[each] += 1


def described(tree: Tree) -> Iterator[str]:
    """What an element says, in the words in which answers are compared."""
    if tree.name == "handshake":
        yield "handshake"
    elif tree.name == "iq":
        payload, *errors = tree.children or [Tree("", "", {"id": "nothing"})]
        what = " ".join(child.name for child in payload.children)
        if payload.name == "configuration":
            yield "configuration"
        else:
            condition = "".join(f" {error.children[0].name}" for error in errors)
            id = "" if tree.attributes["id"].startswith("close-") else f" {tree.attributes['id']}"
            yield f"{tree.attributes['type']}{id}: {payload.attributes['id']} {what}{condition}".rstrip()
    elif tree.name == "route":
        id = tree.attributes["streamid"]
        for child in tree.children:
            if child.name in ("message", "presence"):
                continue
            of_request = f" {child.attributes['id']}" if "id" in child.attributes and child.name == "iq" else ""
            type = f" {child.attributes['type']}" if child.name == "iq" else ""
            reason = child.find(ns.CLIENT, "error") or child.find(routes.NAMESPACE, "error") or child
            tells = child.name in ("error", "failure") or type == " error"
            conditions = " ".join(each.name for each in reason.children if each.name != "text") if tells else ""
            yield f"{id}: {child.name}{type}{of_request} {conditions}".rstrip()
    elif tree.name == "error":
        yield f"stream error {tree.children[0].name}"


class Player:
    """Plays one scenario.

    Args:
        lines: that were recorded.
    """

    def __init__(self, lines: list[Line]) -> None:
        self._lines = lines
        self.recorded, self.ours = Answers(), Answers()
        sent = b"".join(line.data for line in lines if line.event == ">")
        refused = any(b"<not-authorized" in line.data and b"<route" not in line.data for line in lines)
        tokens = [base64.b64decode(token).decode().split("\0") for token in _PLAIN.findall(sent)]
        users = {user: password for _, user, password in tokens}
        self.world = world = ManagerWorld(
            ManagerSettings(compression=b"http://jabber.org/protocol/compress" in sent),
            Secrets("another" if refused else SECRET),
            xmpp=settings(domain=DOMAIN, idle=-1),
            users=sorted(users),
        )
        world.security.passwords = users
        self._links: dict[str, Link] = {}

    def play(self) -> dict[str, int]:
        """Play it; returns how our answers differ from those that were recorded, without ids, and how often."""
        for line in self._lines:
            link = self._links.get(line.link)
            if line.event == "<":
                self.recorded.add(line.link, line.data)
            elif line.event == "accept":
                self._links[line.link] = Link(self.world, f"cm1/{line.link}", tls=self._starts_tls(line.link))
            elif link is None:
                continue
            elif line.event == "tls":
                link.transport.secure = True
                link.link.secured()
            elif line.event == ">":
                self._send(link, line.link, line.data)
            elif line.event in ("eof", "closed") and link.transport.closed != "cut":
                link.cut()
            for name, each in self._links.items():
                self._take(name, each)
        ours, recorded = self.ours.found, self.recorded.found
        differences: Counter[str] = Counter()
        for missing, whose in ((recorded - ours, "recorded"), (ours - recorded, "ours")):
            for answer, count in missing.items():
                differences[f"{_IDS.sub('', answer)}, {whose} only"] += count
        return dict(differences)

    def _starts_tls(self, link: str) -> bool:
        return any(line.link == link and line.event == "tls" for line in self._lines)

    def _send(self, link: Link, name: str, data: bytes) -> None:
        for part in re.split(rb"(?=<handshake>)", data):
            if part:
                digest = routes.digest(link.id, SECRET)  # the recorded one goes with another id
                link.send(_HANDSHAKE.sub(f"<handshake>{digest}</handshake>".encode(), part))
                self._take(name, link)

    def _take(self, name: str, link: Link) -> None:
        data, link.transport.data = link.transport.data, b""
        if link.inflater is not None:
            data = link.inflater.decompress(data)
        found = re.search(rb'<stream:stream [^>]* id="([0-9a-f]+)"', data)
        if found:
            link.id = link.id or found[1].decode()
        self.ours.add(name, data)
        if b"<compressed" in data:
            link.inflater, link.deflater = zlib.decompressobj(), zlib.compressobj()
