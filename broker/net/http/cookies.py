"""Cookies (RFC 6265)."""

from __future__ import annotations


def cookie_of(header: str, name: str) -> str:
    """The value of a cookie; empty where there is none of that name.

    Args:
        header: value of the ``Cookie`` field.
        name: of the cookie.
    """
    for pair in header.split(";"):
        key, _, value = pair.strip().partition("=")
        if key == name:
            return value
    return ""


def set_cookie(name: str, value: str, *, secure: bool) -> tuple[str, str]:
    """The header that gives a browser a cookie until it ends, for this host alone and for none of a page's scripts.

    Args:
        name: of the cookie.
        value: of the cookie.
        secure: it is for TLS only.
    """
    parts = [f"{name}={value}", "Path=/", "HttpOnly", "SameSite=Strict", *(["Secure"] if secure else [])]
    return "Set-Cookie", "; ".join(parts)


def take_cookie(name: str, *, secure: bool) -> tuple[str, str]:
    """The header that takes a cookie back; arguments as of :func:`set_cookie`."""
    header, text = set_cookie(name, "", secure=secure)
    return header, f"{text}; Max-Age=0"
