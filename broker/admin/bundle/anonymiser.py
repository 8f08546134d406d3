"""Hides names: the same name is the same sign in one bundle, and another one in the next."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Collection
from hashlib import sha256
from typing import Any

DIGITS = 12
MARK = "#"


class Anonymiser:
    """Replaces texts that may name somebody or something by keyed hashes; the key is kept nowhere.

    Args:
        active: ``False`` leaves everything as it is.
    """

    def __init__(self, *, active: bool) -> None:
        self.active = active
        self._key = secrets.token_bytes(32)

    def text(self, text: str) -> str:
        """A text as it may be told."""
        if not self.active or not text:
            return text
        return MARK + hmac.new(self._key, text.encode("utf-8", "replace"), sha256).hexdigest()[:DIGITS]

    def tree(self, value: Any, harmless: Collection[str], *, keep: bool = False) -> Any:
        """What JSON is made of: numbers stay, texts only where the field is one that has no names.

        Args:
            value: of builtin types.
            harmless: such fields. All other members of an object that are no field are names themselves.
            keep: the texts of this value stay.
        """
        if not self.active:
            return value
        match value:
            case str():
                return value if keep else self.text(value)
            case dict():
                return {name: self.tree(each, harmless, keep=name in harmless) for name, each in value.items()}
            case list() | tuple():
                return [self.tree(each, harmless, keep=keep) for each in value]
        return value

    def by_name(self, values: dict[str, Any], known: Collection[str]) -> dict[str, Any]:
        """An object whose members may have the names of things: those that are not known are hidden, as their texts."""
        return {
            name if name in known else self.text(name): self.text(each) if isinstance(each, str) else each
            for name, each in values.items()
        }
