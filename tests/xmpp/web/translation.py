"""What a client says over TCP, as the messages of WebSocket, and back (RFC 7395 §3.3)."""

from __future__ import annotations

import re

from broker.xmpp.stream.message_framing import CLOSE, MessageCutter
from broker.xmpp.wire import ns

_HEADER = f"<stream:stream version='1.0' xmlns='{ns.CLIENT}' xmlns:stream='{ns.STREAM}'>".encode()
_END = b"</stream:stream>"
_HEADER_SENT = re.compile(rb"(?:<\?xml[^>]*>)?<stream:stream([^>]*)>")
_DECLARATIONS = re.compile(rb"\sxmlns(?::\w+)?='[^']*'")


def to_messages(data: bytes) -> list[bytes]:
    """The messages of a header, of elements and of the end of a stream."""
    messages = []
    header = _HEADER_SENT.match(data)
    if header is not None:
        messages.append(b"<open xmlns='%b'%b/>" % (ns.FRAMING.encode(), _DECLARATIONS.sub(b"", header[1])))
        data = data[header.end() :]
    messages += MessageCutter().cut(data.removesuffix(_END))
    return [*messages, CLOSE] if data.endswith(_END) else messages


def from_message(message: bytes) -> bytes:
    """What stands for a message in a stream over TCP."""
    if message.startswith(b"<open "):
        return _HEADER
    return _END if message == CLOSE else message
