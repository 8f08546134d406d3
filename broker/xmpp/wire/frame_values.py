"""What frames say in JSON, as values (manager-links.md)."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from broker.model.base64_text import bytes_or_none
from broker.model.json_object import object_or_none
from broker.model.text import is_xml_text
from broker.xmpp.wire.frames import MOST, FrameError

VERSION = 1
"""Of the protocol."""
SHUTDOWN = "shutdown"
ERROR = "error"
DRAIN = "drain"
REFUSED = "refused"
"""Reasons of a GOODBYE."""
MAX_H = (1 << 32) - 1
"""The greatest count of stanzas (XEP-0198 §4)."""
MAX_PORT = 65535
_MISSING: Any = object()


class _Members:
    """The members of one object, read by name; those that nobody asks for are ignored."""

    def __init__(self, members: dict[str, Any], what: str) -> None:
        self._members = members
        self._what = what

    @classmethod
    def of(cls, payload: bytes, what: str) -> _Members:
        """Those of a payload.

        Raises:
            FrameError: it is no object in JSON.
        """
        members = object_or_none(payload)
        if members is None:
            raise FrameError(f"{what} is no object in JSON")
        return cls(members, what)

    def text(self, name: str, default: str = _MISSING) -> str:
        """A text that can stand in XML."""
        value: str = self._get(name, str, default)
        if not is_xml_text(value):
            raise self._refused(name)
        return value

    def number(self, name: str, most: int, default: int = _MISSING) -> int:
        """A number from 0 on."""
        value: int = self._get(name, int, default)
        if not 0 <= value <= most:
            raise self._refused(name)
        return value

    def flag(self, name: str, default: bool = _MISSING) -> bool:
        """Whether something is so."""
        return bool(self._get(name, bool, default))

    def octets(self, name: str) -> bytes:
        """Bytes in base64; none where there is no such member."""
        data = bytes_or_none(self.text(name, ""))
        if data is None:
            raise self._refused(name)
        return data

    def inner(self, name: str) -> _Members | None:
        """An object within this one."""
        value = self._get(name, dict, None)
        return None if value is None else _Members(value, f"{self._what}, {name}")

    def names(self) -> list[str]:
        """Those of all members."""
        return list(self._members)

    def _get(self, name: str, kind: type, default: Any) -> Any:
        value = self._members.get(name, default)
        if value is _MISSING or (value is not default and type(value) is not kind):
            raise self._refused(name)
        return value

    def _refused(self, name: str) -> FrameError:
        return FrameError(f"{self._what} has no {name} that can be read")


def _write(members: Mapping[str, Any]) -> bytes:
    return json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True)
class ManagerHello:
    """The manager's HELLO.

    Args:
        instance: names its process, with at least 128 random bits.
        domain: that it serves; empty where it does not tell.
        version: of the protocol.
    """

    instance: str
    domain: str = ""
    version: int = VERSION

    def encode(self) -> bytes:
        """The payload."""
        return _write({"version": self.version, "instance": self.instance, "domain": self.domain})

    @classmethod
    def read(cls, payload: bytes) -> Self:
        """Read a payload.

        Raises:
            FrameError: it cannot be read.
        """
        members = _Members.of(payload, "HELLO")
        return cls(members.text("instance"), members.text("domain", ""), members.number("version", MAX_H))


@dataclass(frozen=True, slots=True)
class BrokerHello:
    """The broker's HELLO.

    Args:
        run: names its process.
        window: bytes that may be sent beyond those that are acknowledged, of each session and direction.
        sessions: that the manager may have.
        idle: seconds without input after which a side gives the link up.
        others: processes with the manager's name, beside its own, that have links now.
        version: of the protocol.
    """

    run: str
    window: int
    sessions: int
    idle: int
    others: int = 0
    version: int = VERSION

    def encode(self) -> bytes:
        """The payload."""
        return _write(
            {
                "version": self.version,
                "run": self.run,
                "window": self.window,
                "sessions": self.sessions,
                "idle": self.idle,
                "others": self.others,
            }
        )

    @classmethod
    def read(cls, payload: bytes) -> Self:
        """Read a payload.

        Raises:
            FrameError: it cannot be read.
        """
        members = _Members.of(payload, "HELLO")
        return cls(
            members.text("run"),
            members.number("window", MOST),
            members.number("sessions", MOST),
            members.number("idle", MAX_H),
            members.number("others", MOST, 0),
            members.number("version", MAX_H),
        )


@dataclass(frozen=True, slots=True)
class Goodbye:
    """GOODBYE.

    Args:
        reason: :data:`SHUTDOWN`, :data:`ERROR`, :data:`DRAIN` or :data:`REFUSED`.
        text: for people.
    """

    reason: str
    text: str = ""

    def encode(self) -> bytes:
        """The payload."""
        return _write({"reason": self.reason, "text": self.text})

    @classmethod
    def read(cls, payload: bytes) -> Self:
        """Read a payload.

        Raises:
            FrameError: it cannot be read.
        """
        members = _Members.of(payload, "GOODBYE")
        return cls(members.text("reason"), members.text("text", ""))


@dataclass(frozen=True, slots=True)
class Tls:
    """The client's TLS, as the manager sees it.

    Args:
        version: e.g. ``TLSv1.3``; empty where it is not told.
        cipher: its name; empty where it is not told.
        sni: the name that the client has asked for; empty where it has not.
        bindings: channel binding data by type (RFC 5929, RFC 9266), the best first.
        certificate: the client's, in DER, which the manager has verified; empty where it has shown none.
    """

    version: str = ""
    cipher: str = ""
    sni: str = ""
    bindings: Mapping[str, bytes] = field(default_factory=dict)
    certificate: bytes = b""

    def members(self) -> dict[str, Any]:
        """As members of an object."""
        return {
            "version": self.version,
            "cipher": self.cipher,
            "sni": self.sni,
            "bindings": {kind: _base64(data) for kind, data in self.bindings.items()},
            "certificate": _base64(self.certificate),
        }

    @classmethod
    def of(cls, members: _Members | None) -> Self:
        """From members of an object.

        Raises:
            FrameError: one cannot be read.
        """
        if members is None:
            return cls()
        bindings = members.inner("bindings")
        return cls(
            members.text("version", ""),
            members.text("cipher", ""),
            members.text("sni", ""),
            {} if bindings is None else {name: bindings.octets(name) for name in bindings.names()},
            members.octets("certificate"),
        )


@dataclass(frozen=True, slots=True)
class Resume:
    """A stream of a broker that has gone, which a session of this one goes on with.

    Args:
        account: whose it is, as LOGGED_IN has told.
        previd: its id (``<enabled id='…'/>``).
        h: stanzas that the client has handled (XEP-0198 §4).
        header: the client's stream header as it came.
    """

    account: str
    previd: str
    h: int
    header: str


@dataclass(frozen=True, slots=True)
class Open:
    """OPEN.

    Args:
        address: of the client.
        port: of the client.
        local_port: that it has connected to.
        tls: the client's TLS; ``None`` where it is not on.
        resume: the stream that goes on; ``None`` where one begins.
    """

    address: str
    port: int = 0
    local_port: int = 0
    tls: Tls | None = None
    resume: Resume | None = None

    def encode(self) -> bytes:
        """The payload."""
        members: dict[str, Any] = {
            "address": self.address,
            "port": self.port,
            "local_port": self.local_port,
            "secure": self.tls is not None,
        }
        if self.tls is not None:
            members["tls"] = self.tls.members()
        resume = self.resume
        if resume is not None:
            members["resume"] = {
                "account": resume.account,
                "previd": resume.previd,
                "h": resume.h,
                "header": resume.header,
            }
        return _write(members)

    @classmethod
    def read(cls, payload: bytes) -> Self:
        """Read a payload.

        Raises:
            FrameError: it cannot be read.
        """
        members = _Members.of(payload, "OPEN")
        resume = members.inner("resume")
        return cls(
            members.text("address"),
            members.number("port", MAX_PORT, 0),
            members.number("local_port", MAX_PORT, 0),
            Tls.of(members.inner("tls")) if members.flag("secure", False) else None,
            None
            if resume is None
            else Resume(
                resume.text("account"), resume.text("previd"), resume.number("h", MAX_H), resume.text("header")
            ),
        )


@dataclass(frozen=True, slots=True)
class Opened:
    """OPENED.

    Args:
        handled: stanzas of the client that were handled, of a stream that goes on; ``None`` of one that begins.
    """

    handled: int | None = None

    def encode(self) -> bytes:
        """The payload."""
        return _write({} if self.handled is None else {"handled": self.handled})

    @classmethod
    def read(cls, payload: bytes) -> Self:
        """Read a payload.

        Raises:
            FrameError: it cannot be read.
        """
        members = _Members.of(payload, "OPENED")
        return cls(members.number("handled", MAX_H) if "handled" in members.names() else None)


@dataclass(frozen=True, slots=True)
class Refused:
    """REFUSED.

    Args:
        condition: of RFC 6120 §4.9.3.
        text: for people.
    """

    condition: str
    text: str = ""

    def encode(self) -> bytes:
        """The payload."""
        return _write({"condition": self.condition, "text": self.text})

    @classmethod
    def read(cls, payload: bytes) -> Self:
        """Read a payload.

        Raises:
            FrameError: it cannot be read.
        """
        members = _Members.of(payload, "REFUSED")
        return cls(members.text("condition"), members.text("text", ""))


@dataclass(frozen=True, slots=True)
class Secured:
    """SECURED.

    Args:
        offset: bytes of the client before it came in clear, and count no more.
        tls: the client's TLS.
    """

    offset: int
    tls: Tls

    def encode(self) -> bytes:
        """The payload."""
        return _write({"offset": self.offset, "tls": self.tls.members()})

    @classmethod
    def read(cls, payload: bytes) -> Self:
        """Read a payload.

        Raises:
            FrameError: it cannot be read.
        """
        members = _Members.of(payload, "SECURED")
        return cls(members.number("offset", MOST), Tls.of(members.inner("tls")))


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """LOGGED_IN.

    Args:
        account: a localpart.
    """

    account: str

    def encode(self) -> bytes:
        """The payload."""
        return _write({"account": self.account})

    @classmethod
    def read(cls, payload: bytes) -> Self:
        """Read a payload.

        Raises:
            FrameError: it cannot be read.
        """
        return cls(_Members.of(payload, "LOGGED_IN").text("account"))


@dataclass(frozen=True, slots=True)
class Closed:
    """CLOSED.

    Args:
        reason: why the client's connection is gone, for people.
    """

    reason: str = ""

    def encode(self) -> bytes:
        """The payload."""
        return _write({"reason": self.reason})

    @classmethod
    def read(cls, payload: bytes) -> Self:
        """Read a payload.

        Raises:
            FrameError: it cannot be read.
        """
        return cls(_Members.of(payload, "CLOSED").text("reason", ""))


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
