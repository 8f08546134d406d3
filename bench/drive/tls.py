"""Starting TLS on an XMPP stream."""

from __future__ import annotations

import ssl

from bench.drive.loop import DriveError, Script, TlsLink, until
from bench.drive.xmpp_wire import DOMAIN, FEATURES, HEADER, authenticate_plain, bind


def client_context() -> ssl.SSLContext:
    """TLS without a look at the certificate, which is self-signed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def start_tls(link: TlsLink, context: ssl.SSLContext) -> Script[None]:
    """Start TLS and open the stream anew; the features are what comes next."""
    link.send(HEADER)
    yield FEATURES
    link.send(b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
    answer = yield until(b"/>", b"</proceed>", b"</failure>")
    if b"<proceed" not in answer:
        raise DriveError(f"no TLS: {answer!r}")
    link.on_tls = lambda: link.send(HEADER)
    link.start_tls(context, DOMAIN)


def authenticate(link: TlsLink, context: ssl.SSLContext, user: str, password: str) -> Script[None]:
    """Start TLS, and log in with the password; what comes next is the stream anew."""
    yield from start_tls(link, context)
    yield FEATURES
    yield from authenticate_plain(link, user, password)


def log_in(link: TlsLink, user: str, password: str, resource: str) -> Script[str]:
    """Start TLS, authenticate, bind; returns the full address."""
    yield from authenticate(link, client_context(), user, password)
    return (yield from bind(link, resource))
