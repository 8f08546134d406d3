"""Access filters: texts that subscribers write, compiled to predicates over messages (spec xmlblaster §12.1)."""

from __future__ import annotations

from broker.filters.candidate import Candidate, Predicate
from broker.filters.registry import compile_filter, compile_filters

__all__ = ["Candidate", "Predicate", "compile_filter", "compile_filters"]
