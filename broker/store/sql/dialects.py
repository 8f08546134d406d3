"""What each database spells its own way."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite


def insert_into(table: Table, dialect: str) -> Any:
    """An ``INSERT`` that can say what is to happen where the row is there already (``ON CONFLICT``).

    Args:
        table: to insert into.
        dialect: ``sqlite`` or ``postgresql``.
    """
    return (postgresql.insert if dialect == "postgresql" else sqlite.insert)(table)
