"""Changes of a broker that is no process, made by its own user over the socket."""

from __future__ import annotations

from broker.admin.actions.accounts import account_operations
from broker.admin.actions.backups import backup_operations
from broker.admin.actions.broadcast import broadcast_operations
from broker.admin.actions.change import ChangeDesk
from broker.admin.actions.dead_messages import dead_changes
from broker.admin.actions.entries import entry_changes
from broker.admin.actions.running import running_operations
from broker.admin.actions.sessions import session_changes
from broker.admin.actions.topics import topic_changes
from broker.admin.api.audit import audit_operations
from broker.admin.api.dead_messages import dead_operations
from broker.admin.api.works import work_operations
from broker.admin.disk_reads import DiskReads
from broker.admin.works import Works
from broker.model.records import AuditQuery, AuditRecord
from tests.admin.api.desk import Desk
from tests.net.http.conversation import Received


class ChangeOffice:
    """A desk with the operations that change something, and the audit.

    Args:
        desk: of the broker; a new one where it is not given.
    """

    def __init__(self, desk: Desk | None = None) -> None:
        self.desk = desk or Desk()
        self.world = self.desk.world
        self.works = Works()
        changes = ChangeDesk(self.desk.instance, self.desk.gate)
        instance, reads = self.desk.instance, DiskReads(self.desk.instance)
        self.operations = [
            *session_changes(changes),
            *account_operations(changes, self.desk.fake.access),
            *entry_changes(changes, self.works),
            *work_operations(changes, self.works),
            *backup_operations(changes, self.works),
            *dead_changes(changes, self.works),
            *dead_operations(instance, self.desk.gate, reads),
            *running_operations(changes),
            *topic_changes(changes),
            *broadcast_operations(changes),
            *audit_operations(instance),
        ]

    def ask(self, path: str, method: str = "GET", body: object = None, **headers: str) -> Received:
        """Send one request."""
        return self.desk.ask(self.operations, f"/api/v1/{path}", method, body, **headers)

    def post(self, path: str, body: object = None) -> Received:
        """Make a change."""
        return self.ask(path, "POST", body)

    def rows(self) -> list[AuditRecord]:
        """The audit, the newest first."""
        return self.world.run(self.world.store.read_audit(AuditQuery()))
