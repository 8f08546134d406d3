"""Data forms, as far as nodes need them (XEP-0004)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from broker.xml.tree import Tree
from broker.xmpp.wire import ns
from broker.xmpp.wire.errors import Condition, StanzaError
from broker.xmpp.wire.stanza import element


@dataclass(frozen=True, slots=True)
class Option:
    """One of the values that may be chosen.

    Args:
        value: of the field.
        label: for people.
    """

    value: str
    label: str


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a form (XEP-0004 §3.2).

    Args:
        var: its name.
        type: e.g. ``text-single``.
        value: that it has now.
        label: for people; empty for none.
        options: what may be chosen where it is a list.
    """

    var: str
    type: str
    value: str
    label: str = ""
    options: Sequence[Option] = ()

    def to_bytes(self) -> bytes:
        """The ``<field/>``."""
        content = b"".join(
            element("option", attributes={"label": option.label}, content=element("value", content=option.value))
            for option in self.options
        )
        attributes = {"var": self.var, "type": self.type, "label": self.label or None}
        return element("field", attributes=attributes, content=content + element("value", content=self.value))


def write_form(kind: str, form_type: str, fields: Iterable[Field]) -> bytes:
    """A form.

    Args:
        kind: ``form`` or ``result``.
        form_type: what it is about.
        fields: of it.
    """
    parts = [Field("FORM_TYPE", "hidden", form_type).to_bytes()]
    parts += [field.to_bytes() for field in fields]
    return element("x", ns.DATA_FORMS, {"type": kind}, b"".join(parts))


def read_form(parent: Tree, form_type: str) -> Mapping[str, str] | None:
    """The values of a form that was filled in.

    Returns:
        By name, the first value of each; ``None`` where there is no form, or it is cancelled.

    Raises:
        StanzaError: ``bad-request`` where it is about something else.
    """
    form = parent.find(ns.DATA_FORMS, "x")
    if form is None or form.attributes.get("type") == "cancel":
        return None
    values: dict[str, str] = {}
    for field in form.find_all(ns.DATA_FORMS, "field"):
        values[field.attributes.get("var", "")] = field.text_of(ns.DATA_FORMS, "value")
    if values.pop("FORM_TYPE", form_type) != form_type:
        raise StanzaError(Condition.BAD_REQUEST, f"the form is to be one of {form_type}")
    return values
