"""Client properties: typed name-value pairs that any QoS may carry (spec xmlblaster §5)."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass

from broker.errors import BrokerError, Code
from broker.model.base64_text import bytes_or_none
from broker.model.number import MAX_SHOWN, real_or_none, whole_or_none
from broker.model.text import is_xml_text

BASE64 = "base64"
_BITS = {"byte": 8, "short": 16, "int": 32, "long": 64}


@dataclass(frozen=True, slots=True)
class ClientProperty:
    """One ``<clientProperty>`` as it came, so that it can be forwarded unchanged.

    Args:
        name: the property's name.
        value: its text exactly as on the wire (base64 text where ``encoding`` says so).
        type: ``""`` for a string, else ``boolean byte short int long float double byte[]`` or an unknown word.
        encoding: ``""``, ``base64`` or ``forcePlain``.
        charset: of the decoded bytes; ``""`` is UTF-8.
    """

    name: str
    value: str
    type: str = ""
    encoding: str = ""
    charset: str = ""

    @property
    def raw(self) -> bytes:
        """The value's bytes, with any base64 undone (a broken one counts as empty)."""
        if self.encoding != BASE64:
            return self.value.encode("utf-8", "replace")
        return bytes_or_none(self.value, wrapped=True) or b""

    @property
    def text(self) -> str:
        """The value as text."""
        if self.encoding != BASE64:
            return self.value
        raw = self.raw
        try:
            return raw.decode(self.charset or "utf-8", "replace")
        except (LookupError, ValueError):  # there is none of that name, or one that replaces nothing, such as idna
            return raw.decode("utf-8", "replace")

    @property
    def is_true(self) -> bool:
        """Whether the value reads as a true boolean."""
        return self.text.strip().lower() == "true"

    @property
    def python(self) -> bool | int | float | str | bytes:
        """The value in the Python type that fits its declared type; the text where it is none of that type."""
        value: bool | int | float | str | bytes | None = None
        match self.type.lower():
            case "boolean":
                value = self.is_true
            case "byte" | "short" | "int" | "long" as kind:
                limit = 1 << (_BITS[kind] - 1)
                value = whole_or_none(self.text, -limit, limit - 1)
            case "float" | "double":
                value = real_or_none(self.text)
            case "byte[]":
                value = self.raw
        return self.text if value is None else value


def check_properties(properties: Iterable[ClientProperty]) -> None:
    """Refuse what a request must not bring: a value that says it is base64 and is not.

    Where records of the store and messages of others are read, such a value counts as empty.

    Raises:
        BrokerError: ``user.illegalArgument``.
    """
    for given in properties:
        if given.encoding != BASE64:
            continue
        if bytes_or_none(given.value, wrapped=True) is None:
            raise BrokerError(
                Code.USER_ILLEGAL_ARGUMENT,
                f"the property '{given.name[:MAX_SHOWN]}' is not base64, though its encoding says so",
            )


def property_of(name: str, value: str | bytes | bool | int | float, *, declare_type: bool = True) -> ClientProperty:
    """Make a client property from a Python value, encoded the way a writer must (spec §5).

    Args:
        name: the property's name.
        value: text, bytes or a number.
        declare_type: write the type of numbers and booleans.
    """
    if isinstance(value, bytes):
        return ClientProperty(name, base64.b64encode(value).decode(), "byte[]", "base64")
    if isinstance(value, bool):
        return ClientProperty(name, "true" if value else "false", "boolean" if declare_type else "")
    if isinstance(value, int):
        kind = "int" if -(2**31) <= value < 2**31 else "long"
        return ClientProperty(name, str(value), kind if declare_type else "")
    if isinstance(value, float):
        return ClientProperty(name, repr(value), "double" if declare_type else "")
    if any(mark in value for mark in ("<", "&", "|", "]]>")) or not is_xml_text(value):
        return ClientProperty(name, base64.b64encode(value.encode()).decode(), "", "base64")
    return ClientProperty(name, value)


def find(properties: Iterable[ClientProperty], name: str) -> ClientProperty | None:
    """The first property of that name."""
    for candidate in properties:
        if candidate.name == name:
            return candidate
    return None


def is_set(properties: Iterable[ClientProperty], name: str) -> bool:
    """Whether a boolean property of that name is present and true."""
    found = find(properties, name)
    return found is not None and found.is_true
