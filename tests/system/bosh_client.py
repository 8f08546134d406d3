"""A correct client of BOSH on sockets: it sends each request until it is answered (XEP-0124)."""

from __future__ import annotations

import base64
import contextlib
import http.client
import queue
import random
import threading
import time
from dataclasses import dataclass

from broker.xml.tree import Tree, parse_tree
from broker.xmpp.wire import ns
from tests.system.launcher import LaunchError
from tests.system.stream_client import Server

PATIENCE = 60.0
"""Seconds for which a request is sent again."""
AGAIN = 0.1
"""Seconds between two attempts."""


class Ended(Exception):
    """The server has ended the session; the text is the condition."""


@dataclass(slots=True)
class _Request:
    rid: int
    text: str
    answer: Tree | None = None
    error: Exception | None = None


class BoshClient:
    """One client, with two requests at once at most, each in a thread of its own.

    Args:
        broker: that it talks to; loopback, and passwords without TLS are allowed.
        user: whose password is ``secret``.
        resource: of its JID.
        listener: of the broker, that it connects to.

    Attributes:
        got: bodies that have come, in order.
        attempts: how often requests were sent.
    """

    def __init__(self, broker: Server, user: str, resource: str = "x", listener: str = "WEB") -> None:
        self.broker = broker
        self.user = user
        self.resource = resource
        self.listener = listener
        self.got: list[str] = []
        self.attempts = 0
        self.sid = ""
        self._rid = random.SystemRandom().randrange(1, 1 << 40)
        self._open: list[_Request] = []
        self._answered: queue.Queue[_Request] = queue.Queue()
        self._to_send: list[str] = []
        self._closed = False

    @property
    def is_idle(self) -> bool:
        """Whether everything that was to be sent is answered, but for one request that waits."""
        return not self._to_send and not any("<message" in each.text for each in self._open)

    def begin(self) -> None:
        """Log in, and be available."""
        first = self._ask_now("", to="localhost", wait=20, hold=1, ver="1.6", version="1.0")
        self.sid = first.attributes["sid"]
        token = base64.b64encode(f"\0{self.user}\0secret".encode()).decode()
        self._expect(self._ask_now(f"<auth xmlns='{ns.SASL}' mechanism='PLAIN'>{token}</auth>"), "success")
        self._expect(self._ask_now("", restart="true", to="localhost"), "features")
        bind = f"<bind xmlns='{ns.BIND}'><resource>{self.resource}</resource></bind>"
        self._expect(self._ask_now(f"<iq xmlns='{ns.CLIENT}' type='set' id='b'>{bind}</iq>"), "iq")
        self._ask_now(f"<presence xmlns='{ns.CLIENT}'/>")

    def send(self, to: str, body: str) -> None:
        """Send a message with one of the next requests."""
        stanza = f"<message xmlns='{ns.CLIENT}' to='{to}' type='chat'><body>{body}</body></message>"
        self._to_send.append(stanza)

    def step(self, patience: float = 0.05) -> None:
        """Have requests open, and take answers in their order."""
        while len(self._open) < 2 and (self._to_send or not self._open):
            payload = "".join(self._to_send[:10])
            del self._to_send[:10]
            self._begin_request(payload)
        try:
            self._answered.get(timeout=patience)
        except queue.Empty:
            return
        while self._open and (first := self._open[0]).answer is not None:
            del self._open[0]
            self._take(first.answer)
        for each in self._open:
            if each.error is not None:
                raise each.error

    def close(self) -> None:
        """Ask no more; the session stays."""
        self._closed = True

    def end(self) -> None:
        """End the session, while one request may wait (XEP-0124 §13)."""
        while len(self._open) > 1:
            self.step(1.0)
        last = self._begin_request("", type="terminate")
        deadline = time.monotonic() + PATIENCE
        while last.answer is None and last.error is None and time.monotonic() < deadline:
            with contextlib.suppress(queue.Empty):
                self._answered.get(timeout=1.0)
        self.close()

    def _take(self, body: Tree) -> None:
        if body.attributes.get("type") == "terminate":
            raise Ended(body.attributes.get("condition", ""))
        for each in body.children:
            if each.name == "message":
                self.got.append(each.text_of(ns.CLIENT, "body"))

    def _begin_request(self, payload: str, **attributes: object) -> _Request:
        self._rid += 1
        request = _Request(self._rid, self._body(self._rid, payload, attributes))
        self._open.append(request)
        threading.Thread(target=self._run, args=(request,), daemon=True).start()
        return request

    def _ask_now(self, payload: str, **attributes: object) -> Tree:
        self._rid += 1
        request = _Request(self._rid, self._body(self._rid, payload, attributes))
        self._run(request)
        self._answered.get()
        if request.error is not None or request.answer is None:
            raise request.error or LaunchError("no answer")
        return request.answer

    def _run(self, request: _Request) -> None:
        deadline = time.monotonic() + PATIENCE
        while not self._closed:
            try:
                request.answer = parse_tree(self._post(request.text.encode()))
                break
            except (OSError, http.client.HTTPException, KeyError) as error:
                if time.monotonic() > deadline:
                    request.error = error
                    break
                time.sleep(AGAIN)
        self._answered.put(request)

    def _post(self, body: bytes) -> bytes:
        self.attempts += 1
        host, port = self.broker.address(self.listener)
        connection = http.client.HTTPConnection(host, port, timeout=PATIENCE)
        try:
            connection.request("POST", "/http-bind", body, {"Content-Type": "text/xml; charset=utf-8"})
            answer = connection.getresponse()
            data = answer.read()
            if answer.status != 200:
                raise http.client.HTTPException(f"status {answer.status}")
            return data
        finally:
            connection.close()

    def _body(self, rid: int, payload: str, attributes: dict[str, object]) -> str:
        own = {"version": "xmpp:version", "restart": "xmpp:restart"}
        given = {"rid": rid, **({"sid": self.sid} if self.sid else {}), **attributes}
        written = "".join([f" {own.get(name, name)}='{value}'" for name, value in given.items()])
        return f"<body xmlns='{ns.BOSH}' xmlns:xmpp='{ns.XBOSH}'{written}>{payload}</body>"

    def _expect(self, body: Tree, name: str) -> None:
        if [each.name for each in body.children][:1] != [name]:
            raise LaunchError(f"{self.user}: no <{name}/> but {[each.name for each in body.children]}")
