"""A client of XEP-0198 behind a small connection manager that speaks in routes over a socket."""

from __future__ import annotations

import secrets
import socket
import ssl

from broker.xml.cutter import ElementCutter, Opening, Piece
from broker.xml.stanza import Stanza
from broker.xml.stream import StreamReader
from broker.xmpp.wire import ns, routes
from tests.system.launcher import BrokerProcess
from tests.system.stream_client import PATIENCE, Gone, StreamClient

SECRET = "a secret of managers"
SETTINGS = {"plugin/xmpp-managers/port": "0", "plugin/xmpp-managers/directTlsPort": "0", "xmpp.managers.secret": SECRET}
"""With which a broker listens for managers."""


class RoutedClient(StreamClient):
    """One client, and the link of its own manager.

    Args:
        broker: that it talks to.
        user: whose password is ``secret``.
        resource: of its JID.
        manager: name of the manager.
        secret: that the manager knows.
        tls: the link begins with TLS.

    Attributes:
        ends: conditions of the stream errors of its links.
    """

    def __init__(
        self,
        broker: BrokerProcess,
        user: str,
        resource: str = "x",
        manager: str = "cm1",
        secret: str = SECRET,
        *,
        tls: bool = False,
    ) -> None:
        super().__init__(broker, user, resource, PATIENCE, "XMPP-MANAGERS-TLS" if tls else "XMPP-MANAGERS")
        self._secret = secret
        self._tls = tls
        self.link = f"{manager}/Connection Worker - 1"
        self.session = ""
        self.ends: list[str] = []
        self._cutter = ElementCutter(1 << 24)
        self._stream_id = ""

    def _connect(self) -> None:
        self._socket = self._dial()
        self._cutter = ElementCutter(1 << 24)
        self._stream_id = self.session = ""
        self._write_plain(
            f'<stream:stream xmlns:stream="{ns.STREAM}" xmlns="{routes.NAMESPACE}" to="{self.link}" version="1.0">'
        )
        self._expect("features")
        self._write_plain(f"<handshake>{routes.digest(self._stream_id, self._secret)}</handshake>")
        self._expect("iq")
        self.session = f"cm1{secrets.token_hex(4)}"
        create = "<create><host name='localhost' address='192.0.2.1'/></create>"
        self._write_plain(
            f"<iq type='set' to='localhost' from='{self.link}' id='1-1'>"
            f"<session xmlns='{routes.PAYLOAD}' id='{self.session}'>{create}</session></iq>"
        )
        self._expect("iq")
        self._write(self._login())
        self._expect("success")

    def _dial(self) -> socket.socket:
        found = socket.create_connection(self.broker.address(self.listener), 5)
        if found.getsockname() == found.getpeername():
            raise Gone
        if not self._tls:
            return found
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context.wrap_socket(found)

    def _write_plain(self, data: str) -> None:
        super()._write(data)

    def _write(self, data: str) -> None:
        for each in routes.elements(data.encode()):
            route = f"<route to='localhost' from='{self.link}' streamid='{self.session}'>{each.decode()}</route>"
            self._write_plain(route)

    def _events(self, data: bytes) -> list[Stanza]:
        self._cutter.add(data)
        found: list[Stanza] = []
        while (cut := self._cutter.next()) is not None:
            if isinstance(cut, Opening):
                self._stream_id = routes.attributes_of(cut.tag)["id"]
            elif isinstance(cut, Piece):
                found += self._stanzas(cut)
        return found

    def _stanzas(self, piece: Piece) -> list[Stanza]:
        of_client = piece.name == b"route"
        header = routes.CLIENT_HEADER if of_client else routes.header(self.link)
        reader = StreamReader(1 << 24, stepwise=False)
        events = reader.feed(header + (piece.content if of_client else piece.data))
        found = [event for event in events if isinstance(event, Stanza)]
        if piece.name == b"stream:error":
            self.ends += [stanza.tree().children[0].name for stanza in found]
        return found
