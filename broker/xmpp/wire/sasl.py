"""The server's side of SASL, without I/O (RFC 6120 §6, RFC 4422).

An exchange is begun and answered by the caller, and tells in each :data:`Step` what is to be done next: send a
challenge, look an account up, check a password. SCRAM is written out here because the library that makes the verifiers
knows neither ``tls-exporter`` (RFC 9266) nor authorization identities.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from broker.model.base64_text import bytes_or_none
from broker.model.jid import prepared_or_empty

MAX_MESSAGE = 10_240
"""Longest message of a client in bytes."""
NONCE_SIZE = 18

SHA_1 = "SCRAM-SHA-1"
SHA_256 = "SCRAM-SHA-256"
PLUS = "-PLUS"
PLAIN = "PLAIN"
EXTERNAL = "EXTERNAL"
ANONYMOUS = "ANONYMOUS"

_HASHES = {SHA_1: "sha1", SHA_256: "sha256"}
_NONCE = re.compile(r"[\x21-\x2b\x2d-\x7e]{1,1024}\Z")
_ATTRIBUTE = re.compile(r"([A-Za-z])=(.*)\Z", re.DOTALL)


class SaslFailure(Exception):  # the wire calls it a failure
    """The exchange is over without a login.

    Args:
        condition: of RFC 6120 §6.5.
        text: for the person who reads the client's log; it tells nothing about accounts.
    """

    def __init__(self, condition: str, text: str = "") -> None:
        super().__init__(condition, text)
        self.condition = condition
        self.text = text

    def __str__(self) -> str:
        return f"{self.condition}: {self.text}" if self.text else self.condition


@dataclass(frozen=True, slots=True)
class Offer:
    """What a connection can offer.

    Args:
        domain: of the service; an authorization identity must be of it.
        bindings: channel binding data by type (RFC 5929, RFC 9266); empty without TLS.
        plain: passwords may be sent.
        scram: accounts have verifiers.
        certificate: JIDs that the client's certificate proves, as bare JIDs (XEP-0178).
        anonymous: logins without an account are allowed.
    """

    domain: str
    bindings: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    plain: bool = False
    scram: bool = True
    certificate: Sequence[str] = ()
    anonymous: bool = False

    def mechanisms(self) -> list[str]:
        """The mechanisms to offer, the best first."""
        found: list[str] = []
        if self.certificate:
            found.append(EXTERNAL)
        if self.scram:
            if self.bindings:
                found += (SHA_256 + PLUS, SHA_1 + PLUS)
            found += (SHA_256, SHA_1)
        if self.plain:
            found.append(PLAIN)
        if self.anonymous:
            found.append(ANONYMOUS)
        return found


@dataclass(frozen=True, slots=True)
class Challenge:
    """Send this, and go on with what the client answers (:meth:`Exchange.respond`)."""

    data: bytes


@dataclass(frozen=True, slots=True)
class NeedVerifier:
    """Look the user's verifier up, or make a decoy, and go on with :meth:`Scram.found`.

    Args:
        mechanism: ``SCRAM-SHA-1`` or ``SCRAM-SHA-256``.
        user: the name that the client gave.
    """

    mechanism: str
    user: str


@dataclass(frozen=True, slots=True)
class NeedPassword:
    """Check the password, and go on with :class:`Success` for the user, or ``SaslFailure("not-authorized")``."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class NeedAccount:
    """Look whether the user, who is proven, has an account, and go on with :class:`Success` or a failure."""

    user: str


@dataclass(frozen=True, slots=True)
class Success:
    """The client is who it says.

    Args:
        user: localpart; empty for an anonymous login.
        data: to send along.
        anonymous: the user has no account, and its localpart is made up.
    """

    user: str
    data: bytes = b""
    anonymous: bool = False


Step = Challenge | NeedVerifier | NeedPassword | NeedAccount | Success


class Exchange:
    """One login attempt."""

    def begin(self, initial: bytes | None) -> Step:
        """Start.

        Args:
            initial: what the client sent along; ``None`` for nothing.

        Raises:
            SaslFailure: it is over.
        """
        return Challenge(b"") if initial is None else self.respond(initial)

    def respond(self, data: bytes) -> Step:
        """The client has answered a challenge.

        Raises:
            SaslFailure: it is over.
        """
        raise NotImplementedError


class Plain(Exchange):
    """PLAIN (RFC 4616)."""

    def __init__(self, offer: Offer) -> None:
        self._offer = offer

    def respond(self, data: bytes) -> Step:
        """See :meth:`Exchange.respond`."""
        parts = _text(data).split("\0")
        if len(parts) != 3 or not parts[1] or not parts[2]:
            raise SaslFailure("malformed-request", "PLAIN has an identity, a user and a password")
        authzid, user, password = parts
        _check_identity(authzid, user, self._offer.domain)
        return NeedPassword(user, password)


class External(Exchange):
    """EXTERNAL, by the client's certificate (XEP-0178 §3)."""

    def __init__(self, offer: Offer) -> None:
        self._offer = offer

    def respond(self, data: bytes) -> Step:
        """See :meth:`Exchange.respond`."""
        given = _text(data)
        wanted = prepared_or_empty(given) or given
        proven = [jid for jid in self._offer.certificate if jid.partition("@")[2] == self._offer.domain]
        if not wanted and len(proven) == 1:
            wanted = proven[0]
        if wanted not in proven:
            raise SaslFailure("not-authorized", "the certificate does not prove this identity")
        return NeedAccount(wanted.partition("@")[0])


class Anonymous(Exchange):
    """ANONYMOUS (RFC 4505, XEP-0175)."""

    def begin(self, initial: bytes | None) -> Step:
        """See :meth:`Exchange.begin`; what the client says of itself does not matter."""
        return Success("")

    def respond(self, data: bytes) -> Step:
        """See :meth:`Exchange.respond`."""
        return Success("")


class Scram(Exchange):
    """SCRAM with SHA-1 or SHA-256, with or without channel binding (RFC 5802, RFC 7677).

    Args:
        mechanism: as the client chose it.
        offer: of the connection.
        nonce: the server's part, for tests.
    """

    def __init__(self, mechanism: str, offer: Offer, nonce: str = "") -> None:
        self._plus = mechanism.endswith(PLUS)
        self._mechanism = mechanism.removesuffix(PLUS)
        self._offer = offer
        self._nonce = nonce or base64.b64encode(secrets.token_bytes(NONCE_SIZE)).decode()
        self._binding = b""
        self._user = ""
        self._first = ""
        self._server_first = ""
        self._keys: tuple[bytes, bytes] | None = None

    def respond(self, data: bytes) -> Step:
        """See :meth:`Exchange.respond`."""
        text = _text(data)
        return self._read_first(text) if not self._first else self._read_final(text)

    def found(self, salt: bytes, stored_key: bytes, server_key: bytes, iterations: int) -> Step:
        """Go on after :class:`NeedVerifier`, with the verifier of the user or a decoy."""
        self._keys = stored_key, server_key
        self._server_first = f"r={self._nonce},s={base64.b64encode(salt).decode()},i={iterations}"
        return Challenge(self._server_first.encode())

    def _read_first(self, text: str) -> Step:
        parts = text.split(",", 2)
        if len(parts) != 3:
            raise _malformed()
        flag, authzid, bare = parts
        self._binding = f"{flag},{authzid},".encode() + self._bound(flag)
        fields = _fields(bare)
        names = [name for name, _ in fields]
        if names[:2] != ["n", "r"]:  # also "m", an extension that must be understood
            raise _malformed()
        user = _decoded(fields[0][1])
        nonce = fields[1][1]
        if not user or not _NONCE.match(nonce):
            raise _malformed()
        if authzid and not authzid.startswith("a="):
            raise _malformed()
        _check_identity(_decoded(authzid[2:]), user, self._offer.domain)
        self._user = user
        self._nonce = nonce + self._nonce
        self._first = bare
        return NeedVerifier(self._mechanism, user)

    def _bound(self, flag: str) -> bytes:
        """What the client must have bound to, by its flag (RFC 5802 §6)."""
        if flag.startswith("p="):
            data = self._offer.bindings.get(flag[2:])
            if not self._plus or data is None:
                raise SaslFailure("malformed-request", "this channel binding is not offered")
            return data
        if self._plus or flag not in ("n", "y"):
            raise _malformed()
        if flag == "y" and self._offer.bindings:
            raise SaslFailure("not-authorized", "the offer of channel binding was removed on its way to the client")
        return b""

    def _read_final(self, text: str) -> Step:
        if self._keys is None:
            raise _malformed()
        fields = _fields(text)
        if len(fields) < 3 or fields[0][0] != "c" or fields[1][0] != "r" or fields[-1][0] != "p":
            raise _malformed()
        proof = _base64(fields[-1][1])
        bound = hmac.compare_digest(_base64(fields[0][1]), self._binding)
        stored_key, server_key = self._keys
        name = _HASHES[self._mechanism]
        message = f"{self._first},{self._server_first},{text.rpartition(',p=')[0]}".encode()
        signature = hmac.digest(stored_key, message, name)
        if len(proof) != len(signature) or fields[1][1] != self._nonce or not bound:
            raise SaslFailure("not-authorized")
        client_key = (int.from_bytes(proof) ^ int.from_bytes(signature)).to_bytes(len(signature))
        if not hmac.compare_digest(hashlib.new(name, client_key).digest(), stored_key):
            raise SaslFailure("not-authorized")
        verifier = base64.b64encode(hmac.digest(server_key, message, name))
        return Success(self._user, b"v=" + verifier)


def begin(mechanism: str, offer: Offer) -> Exchange:
    """Begin an exchange.

    Raises:
        SaslFailure: ``invalid-mechanism`` where it is not offered.
    """
    if mechanism not in offer.mechanisms():
        raise SaslFailure("invalid-mechanism", f"the mechanisms are {', '.join(offer.mechanisms())}")
    match mechanism:
        case "PLAIN":
            return Plain(offer)
        case "EXTERNAL":
            return External(offer)
        case "ANONYMOUS":
            return Anonymous()
    return Scram(mechanism, offer)


def decode(text: str) -> bytes | None:
    """The content of ``<auth/>`` or ``<response/>`` (RFC 6120 §6.4.2): ``None`` where there is none, ``=`` for empty.

    Raises:
        SaslFailure: ``incorrect-encoding``, or ``malformed-request`` where it is too long.
    """
    if not text:
        return None
    if text == "=":
        return b""
    if len(text) > MAX_MESSAGE:
        raise SaslFailure("malformed-request", f"it is longer than {MAX_MESSAGE} bytes")
    return _base64(text)


def encode(data: bytes) -> bytes:
    """The content of ``<challenge/>`` or ``<success/>``."""
    return base64.b64encode(data)


def _base64(text: str) -> bytes:
    data = bytes_or_none(text)
    if data is None:
        raise SaslFailure("incorrect-encoding", "it is not base64")
    return data


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise SaslFailure("malformed-request", "it is not UTF-8") from None


def _fields(text: str) -> list[tuple[str, str]]:
    fields: list[tuple[str, str]] = []
    for part in text.split(","):
        match = _ATTRIBUTE.match(part)
        if match is None:
            raise _malformed()
        fields.append((match[1], match[2]))
    return fields


def _decoded(name: str) -> str:
    """A saslname (RFC 5802 §5.1)."""
    if re.search("=(?!2C|3D)", name):
        raise _malformed()
    return name.replace("=2C", ",").replace("=3D", "=")


def _check_identity(authzid: str, user: str, domain: str) -> None:
    """Only one's own bare JID is accepted as the identity to act as (RFC 6120 §6.3.8)."""
    if authzid and (not (own := prepared_or_empty(f"{user}@{domain}")) or prepared_or_empty(authzid) != own):
        raise SaslFailure("invalid-authzid", "you may log in as yourself only")


def _malformed() -> SaslFailure:
    return SaslFailure("malformed-request", "it is not what this mechanism sends")
