"""Data forms, as far as nodes need them (XEP-0004)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from broker.xml.tree import Tree
from broker.xmpp.wire import ns
from broker.xmpp.wire.errors import Condition, StanzaError
from broker.xmpp.wire.stanza import element


def write_form(kind: str, form_type: str, fields: Sequence[tuple[str, str, str]]) -> bytes:
    """A form.

    Args:
        kind: ``form`` or ``result``.
        form_type: what it is about.
        fields: name, type and value of each.
    """
    parts = [_field("FORM_TYPE", "hidden", form_type)]
    parts += [_field(name, type, value) for name, type, value in fields]
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


def is_true(value: str) -> bool:
    """A boolean field (XEP-0004 §3.3)."""
    return value in ("1", "true")


def _field(name: str, type: str, value: str) -> bytes:
    return element("field", attributes={"var": name, "type": type}, content=element("value", content=value))
