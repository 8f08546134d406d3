"""Tongues, administration and plugins have effects by the core's methods only, where the rights are checked."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.core.cached_entries import CachedEntries
from broker.core.history import History
from broker.core.queues import Queue
from broker.ports import IStore

BROKER = Path(__file__).parents[2] / "broker"
READS = frozenset(
    {
        "count_rows",
        "read_account_changes",
        "read_audit",
        "read_documents",
        "read_entries",
        "read_headers",
        "read_back",
        "read_expired",
        "when_committed",
        "end_turn",
    }
)
"""Methods of the store that change nothing."""
OUTSIDE = frozenset(
    {
        "open",
        "close",
        "get_account",
        "list_accounts",
        "list_roles",
        "put_account",
        "set_role",
        "delete_account",
        "append_account",
        "append_removal",
    }
)
"""Those of whoever runs the store, and of accounts, which the security service owns."""
LOOKS = frozenset({"load", "latest", "peek", "arrival", "parts", "room", "read_oldest", "can_discard_oldest"})
"""Methods of queues and histories that change nothing."""
DISPATCHES = frozenset({"xmpp/session/dispatch.py"})
"""What delivers a session's own queue is a part of the core that its tongue brings along."""
ADMINISTRATION = frozenset({"admin/entries.py"})
"""Takes entries out of queues of sessions; who may is checked before, by the table of administrative commands."""


def public_methods(kind: type) -> frozenset[str]:
    return frozenset(name for name, each in vars(kind).items() if callable(each) and not name.startswith("_"))


STORE = frozenset(IStore.names(all=True)) - READS - OUTSIDE
QUEUES = (public_methods(Queue) | public_methods(CachedEntries) | public_methods(History)) - LOOKS
CHANGES = {"store": STORE, "queue": QUEUES, "history": QUEUES}
INTERNAL = frozenset({"querying", "publisher", "items", "placeholders", "letters", "erasure"})
"""Parts of the core behind :class:`broker.core.broker.Broker`."""


VALUES = frozenset({"session", "subject", "dispatch", "topic", "queue", "history"})
"""Names of objects of the core."""
OF_CLIENTS = ("session.remote_properties", "dispatch.last_error")
"""What clients say of themselves, and the memory of an error: nothing depends on them."""


def modules(*rooms: str) -> list[Path]:
    return sorted(path for room in rooms for path in (BROKER / room).rglob("*.py"))


def name_of(expression: ast.expr) -> str:
    """The last name of a receiver: ``queue`` of ``session.queue``, ``store`` of ``self._store``."""
    match expression:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name.lstrip("_")
    return ""


def detours(tree: ast.AST) -> Iterator[str]:
    """Calls that change something behind the core's back."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Attribute(value=owner, attr=part), attr=method)) if (
                part in INTERNAL and name_of(owner) == "broker"
            ):
                yield f"line {node.lineno}: broker.{part}.{method}()"
            case ast.Call(func=ast.Attribute(value=receiver, attr=method)) if method in CHANGES.get(
                name_of(receiver), ()
            ):
                yield f"line {node.lineno}: {name_of(receiver)}.{method}()"


@pytest.mark.parametrize(
    "path", modules("native", "xmpp", "admin", "plugins"), ids=lambda path: path.relative_to(BROKER)
)
def test_nothing_has_an_effect_behind_the_core(path: Path) -> None:
    if str(path.relative_to(BROKER)) in DISPATCHES | ADMINISTRATION:
        return
    assert list(detours(ast.parse(path.read_text("utf-8")))) == []


def assignments(tree: ast.AST) -> Iterator[str]:
    """Values of the core that are set behind its back."""
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=targets):
                found = targets
            case ast.AugAssign(target=target) | ast.AnnAssign(target=target):
                found = [target]
            case _:
                continue
        for each in found:
            if isinstance(each, ast.Attribute) and name_of(each.value) in VALUES:
                yield f"line {node.lineno}: {name_of(each.value)}.{each.attr}"


@pytest.mark.parametrize("path", modules("admin", "plugins"), ids=lambda path: path.relative_to(BROKER))
def test_administration_sets_nothing_behind_the_core(path: Path) -> None:
    found = [each for each in assignments(ast.parse(path.read_text("utf-8"))) if not each.endswith(OF_CLIENTS)]
    assert found == []


@pytest.mark.parametrize("text", ["session.dispatch.active = True", "subject.blocked = a = 1", "topic.owner += 'x'"])
def test_such_an_assignment_is_found(text: str) -> None:
    assert len(list(assignments(ast.parse(text)))) == 1


@pytest.mark.parametrize("allowed", sorted(DISPATCHES | ADMINISTRATION))
def test_what_may_needs_to(allowed: str) -> None:
    assert list(detours(ast.parse((BROKER / allowed).read_text("utf-8"))))


@pytest.mark.parametrize(
    "call",
    [
        "self._store.put_document(record)",
        "node.store.settle_all(1)",
        "session.queue.put(message, '')",
        "topic.history.clear()",
        "self._broker.querying.drop(subscription)",
        "broker.publisher.publish_internal(message)",
    ],
)
def test_such_a_call_is_found(call: str) -> None:
    assert len(list(detours(ast.parse(call)))) == 1
