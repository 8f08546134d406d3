"""The filter ``Sql92Filter``: a selector over client properties in the manner of JMS (spec xmlblaster §12.1)."""

from __future__ import annotations

from broker.filters.sql92.selector import compile_sql92

__all__ = ["compile_sql92"]
