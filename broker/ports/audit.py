"""What was done in administration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from zope.interface import Interface

if TYPE_CHECKING:
    from broker.model.records import AuditQuery, AuditRecord


class IAudit(Interface):
    """Rows of the audit, in the same batches as the changes that they tell of."""

    def put_audit(record: AuditRecord) -> None:
        """Insert or replace by id."""

    def forget_audit(upto: int) -> None:
        """Delete the rows up to this id that were appended before."""

    def read_audit(query: AuditQuery) -> Deferred[list[AuditRecord]]:
        """Read rows, the newest first; everything appended before is seen."""
