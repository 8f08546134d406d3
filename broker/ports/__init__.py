"""The interfaces between the layers (design §2). Concrete classes are wired together in :mod:`broker.app` only."""

from __future__ import annotations

from broker.ports.accounts import IAccounts
from broker.ports.authenticator import IAuthenticator
from broker.ports.authorizer import IAuthorizer
from broker.ports.documents import IDocuments
from broker.ports.journal import IJournal
from broker.ports.outbound import IOutbound
from broker.ports.plugin import IPlugin
from broker.ports.queues import IQueues
from broker.ports.records import IRecords
from broker.ports.store import IStore

__all__ = [
    "IAccounts",
    "IAuthenticator",
    "IAuthorizer",
    "IDocuments",
    "IJournal",
    "IOutbound",
    "IPlugin",
    "IQueues",
    "IRecords",
    "IStore",
]
