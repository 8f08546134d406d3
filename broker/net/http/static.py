"""Files of a page that come with the program, served as they are.

All of them are read, pressed and given a version when the site is made. The page itself is asked for again each time;
what it refers to has the version in its address and is kept for ever (RFC 9111 §5.2.2.4, RFC 8246 §2), so that an
upgrade never mixes files of two versions.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath

from broker.net.http.exchange import Answer, Call, Handler
from broker.net.http.routes import Route

INDEX = "index.html"
FOLDER = "page"
"""Of what the page refers to, below the page."""
MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    ]
)
"""What the page may do (CSP Level 3, Trusted Types): run and load what comes from here, and nothing else."""
HEADERS = (
    ("Content-Security-Policy", POLICY),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ("Vary", "Accept-Encoding"),
)
ONLY_TLS = ("Strict-Transport-Security", "max-age=31536000")
"""Over TLS (RFC 6797 §6.1): browsers come back over TLS only, for a year."""
FOR_EVER = "public, max-age=31536000, immutable"
ASK_AGAIN = "no-cache"
_REFERENCE = re.compile(rf'"(\./(?:{FOLDER}/)?([\w.-]+))"')


@dataclass(frozen=True, slots=True)
class File:
    """A file as it is sent.

    Args:
        body: as it is.
        pressed: by gzip.
        media_type: of the body.
    """

    body: bytes
    pressed: bytes
    media_type: str


def page_routes(folder: Traversable, right: str) -> list[Route]:
    """The routes of a page: ``/``, and a route for each file that it may refer to.

    A file is referred to as ``"./name"`` by its neighbours, and as ``"./page/name"`` by the page.

    Args:
        folder: has ``index.html`` and all other files beside it.
        right: who may use the routes.

    Raises:
        ValueError: a file has a suffix that is not in :data:`MEDIA_TYPES`.
    """
    texts = {each.name: each.read_text("utf-8") for each in folder.iterdir() if each.is_file()}
    version = version_of(texts)
    files = {name: _file(name, stamped(text, texts, version)) for name, text in texts.items()}
    routes = [Route("GET", "/", right, _serve(files.pop(INDEX), version=None), summary="The page.")]
    for name, file in sorted(files.items()):
        routes.append(Route("GET", f"/{FOLDER}/{name}", right, _serve(file, version), summary="A file of the page."))
    return routes


def version_of(texts: Mapping[str, str]) -> str:
    """A name of these texts that no others have."""
    digest = hashlib.sha256()
    for name, text in sorted(texts.items()):
        digest.update(f"{name}\0{len(text)}\0{text}".encode())
    return digest.hexdigest()[:16]


def stamped(text: str, names: Mapping[str, str], version: str) -> str:
    """A text whose references to files have their version.

    Args:
        text: of a file.
        names: of the files.
        version: of all of them.
    """
    return _REFERENCE.sub(
        lambda found: f'"{found[1]}?v={version}"' if found[2] in names and found[2] != INDEX else found[0], text
    )


def _file(name: str, text: str) -> File:
    media_type = MEDIA_TYPES.get(PurePosixPath(name).suffix)
    if media_type is None:
        raise ValueError(f"nothing says what {name} is")
    body = text.encode()
    return File(body, gzip.compress(body, mtime=0), media_type)


def _serve(file: File, version: str | None) -> Handler:
    async def handler(call: Call) -> Answer:
        current = version is not None and call.query.get("v") == version
        headers = [*HEADERS, ("Cache-Control", FOR_EVER if current else ASK_AGAIN)]
        if call.peer.secure:
            headers.append(ONLY_TLS)
        if takes_gzip(call.headers.get("accept-encoding", "")):
            headers.append(("Content-Encoding", "gzip"))
            return Answer(file.pressed, file.media_type, headers=tuple(headers))
        return Answer(file.body, file.media_type, headers=tuple(headers))

    return handler


def takes_gzip(accepted: str) -> bool:
    """Whether a peer takes gzip.

    Args:
        accepted: its ``Accept-Encoding`` (RFC 9110 §12.5.3).
    """
    for each in accepted.split(","):
        coding, _, weight = each.partition(";")
        if coding.strip().lower() == "gzip":
            return not re.fullmatch(r"q=0(\.0*)?", weight.strip().lower())
    return False
