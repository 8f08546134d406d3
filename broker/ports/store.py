"""Durable state as a whole."""

from __future__ import annotations

from broker.ports.accounts import IAccounts
from broker.ports.audit import IAudit
from broker.ports.documents import IDocuments
from broker.ports.journal import IJournal
from broker.ports.queues import IQueues
from broker.ports.records import IRecords


class IStore(IJournal, IQueues, IRecords, IDocuments, IAccounts, IAudit):
    """Durable state (design D2–D6). All methods are called in the reactor thread.

    Appending is synchronous and cheap: it adds to the open batch. The store commits what has gathered as one
    transaction, one transaction after the other, in order. What is put and settled inside one batch is never written
    (design D4). Messages whose last entry is settled are deleted in the same transaction (design D5).
    """
