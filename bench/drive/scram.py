"""The client's side of SCRAM-SHA-1 (RFC 5802)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from functools import cache

from bench.drive.loop import DriveError, Link, Script, until

_NAMESPACE = b"urn:ietf:params:xml:ns:xmpp-sasl"


@cache
def _salted(password: bytes, salt: bytes, iterations: int) -> bytes:
    """A client may keep it, and so the driver is not the limit."""
    return hashlib.pbkdf2_hmac("sha1", password, salt, iterations)


def authenticate_scram(link: Link, user: str, password: str) -> Script[None]:
    """SASL SCRAM-SHA-1 on an open stream."""
    bare = f"n={user},r={base64.b64encode(os.urandom(18)).decode()}".encode()
    link.send(b"<auth xmlns='%b' mechanism='SCRAM-SHA-1'>%b</auth>" % (_NAMESPACE, base64.b64encode(b"n,," + bare)))
    challenge = _text((yield until(b"</challenge>", b"</failure>")))
    nonce, salt, iterations = (part[2:] for part in challenge.split(b",")[:3])
    final = b"c=biws,r=" + nonce
    client_key = hmac.digest(_salted(password.encode(), base64.b64decode(salt), int(iterations)), b"Client Key", "sha1")
    stored_key = hashlib.sha1(client_key).digest()
    signature = hmac.digest(stored_key, b",".join((bare, challenge, final)), "sha1")
    proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
    response = base64.b64encode(final + b",p=" + base64.b64encode(proof))
    link.send(b"<response xmlns='%b'>%b</response>" % (_NAMESPACE, response))
    answer = yield until(b"</success>", b"</failure>", b"/>")
    if b"<success" not in answer:
        raise DriveError(f"login refused: {answer!r}")


def _text(challenge: bytes) -> bytes:
    if b"<challenge" not in challenge:
        raise DriveError(f"login refused: {challenge!r}")
    return base64.b64decode(challenge[challenge.index(b">") + 1 : challenge.rindex(b"<")])
