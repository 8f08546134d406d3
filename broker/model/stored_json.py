"""Reading JSON out of the store: an object whose fields have their types, or the catalogue's error (design D18)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeAlias

from broker.errors import BrokerError, Code
from broker.model.number import LEAST, MOST
from broker.model.text import is_xml_text

Fields: TypeAlias = Mapping[str, "type | Fields"]
"""Names and types of the members of an object; see :func:`read_object`."""


def read_object(data: bytes, fields: Fields, what: str) -> dict[str, Any]:
    """The fields of a JSON object; those that are missing were not known to the version that wrote it.

    Args:
        data: as :func:`json.dumps` has written it.
        fields: name and type of each: ``bool``, ``int`` of 64 bits, ``str`` that may stand in XML, ``list`` of such
            texts, or the fields of an object within this one. Another field would be lost when the record is written
            again, so an object with one is refused.
        what: names it in the error.

    Raises:
        BrokerError: ``resource.db.unknown`` where it is none.
    """
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _refused(what, str(error)) from None
    return _checked(found, fields, what)


def _checked(found: object, fields: Fields, what: str) -> dict[str, Any]:
    if type(found) is not dict:
        raise _refused(what, "it is no object")
    for name, value in found.items():
        wanted = fields.get(name)
        if wanted is None:
            raise _refused(what, f"the field '{name[:64]}' is not known")
        if not isinstance(wanted, type):
            _checked(value, wanted, f"{what}, {name},")
        elif not _fits(value, wanted):
            raise _refused(what, f"'{name}' has a value that none can have")
    return found


def _fits(value: object, wanted: type) -> bool:
    if type(value) is not wanted:
        return False
    if isinstance(value, list):
        return all(type(each) is str and _fits(each, str) for each in value)
    if isinstance(value, str):
        return is_xml_text(value)
    return not isinstance(value, int) or LEAST <= value <= MOST


def _refused(what: str, reason: str) -> BrokerError:
    return BrokerError(Code.RESOURCE_DB_UNKNOWN, f"{what} cannot be read: {reason}")
