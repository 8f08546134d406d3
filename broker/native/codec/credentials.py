"""The ``<securityService>`` of a connect QoS (spec xmlblaster §4.1, §13.2)."""

from __future__ import annotations

import base64

from broker.errors import BrokerError, Code
from broker.model.base64_text import bytes_or_none
from broker.model.connect import Credentials
from broker.xml.parse import Element, parse
from broker.xml.scan import text
from broker.xml.write import element, escape, escape_attribute

BASE64_MARKER = "__base64:"
DEFAULT_VERSION = "1.0"

_TAG = "securityservice"


def read_credentials(found: Element) -> Credentials:
    """Login name and password, which stand in the element or, as text, in its CDATA section.

    Raises:
        BrokerError: ``user.security.authentication.illegalArgument`` where they cannot be read. The text does not
            repeat what was given.
    """
    fields = found if found.children else _read_fields(found.text)
    password = fields.last.get("passwd")
    return Credentials(
        type=found.attributes.get("type", ""),
        version=found.attributes.get("version") or DEFAULT_VERSION,
        user=text(fields, "user"),
        password=_read_password(password.text) if password is not None else "",
    )


def _read_fields(inner: str) -> Element:
    try:
        return parse(f"<{_TAG}>{inner}</{_TAG}>".encode(), _TAG)
    except BrokerError as error:
        raise BrokerError(Code.USER_AUTHENTICATION_ILLEGAL_ARGUMENT, error.message) from None


def _read_password(value: str) -> str:
    marked = value.strip()
    if not marked.startswith(BASE64_MARKER):
        return value
    password = bytes_or_none(marked.removeprefix(BASE64_MARKER))
    try:
        if password is not None:
            return password.decode()
    except UnicodeDecodeError:
        pass
    raise BrokerError(
        Code.USER_AUTHENTICATION_ILLEGAL_ARGUMENT, "the password is marked as base64, but is not"
    ) from None


def write_credentials(credentials: Credentials, *, redact: bool) -> str:
    """The element, its fields in a CDATA section as the existing servers and clients write them.

    Args:
        credentials: who asks.
        redact: leave the password empty (design D13).
    """
    # Even where it is left out its element is there: the Java client fails to print an answer without one.
    password = element("passwd", "" if redact else _write_password(credentials.password))
    type, version = escape_attribute(credentials.type), escape_attribute(credentials.version)
    return (
        f'<securityService type="{type}" version="{version}">'
        f"<![CDATA[<user>{escape(credentials.user)}</user>{password}]]></securityService>"
    )


def _write_password(password: str) -> str:
    # What escaping or trimming along the way could change is marked (spec xmlblaster §13.2).
    if escape(password) == password.strip() and not password.startswith(BASE64_MARKER):
        return password
    return BASE64_MARKER + base64.b64encode(password.encode()).decode()
