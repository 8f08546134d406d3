"""The whole of the definitions: written down, and read in, all or nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from http import HTTPStatus
from typing import Any, cast

import msgspec
from twisted.internet.defer import Deferred

from broker import __version__
from broker.admin.definitions.accounts import AccountSection, SubjectSection
from broker.admin.definitions.configuration import LogLevelSection, PropertySection
from broker.admin.definitions.documents import DocumentSection
from broker.admin.definitions.format import FORMAT, AccountDefinition, Definition, Definitions, Sections
from broker.admin.definitions.section import Action, DefinitionChange, Planned, Section
from broker.admin.definitions.subscriptions import SubscriptionSection
from broker.admin.definitions.topics import TopicSection
from broker.admin.instance import Instance
from broker.admin.moment import moment
from broker.admin.pending_properties import PendingProperties
from broker.core.asker import Asker
from broker.errors import Code
from broker.failpoints import reach
from broker.net.http.problem import Detail, Refused
from broker.ports import IStore


class Imported(msgspec.Struct, frozen=True):
    """What an import has done, or would do.

    Args:
        changes: of all objects in the document, and of those that are deleted.
        counts: of these, by what is done to them.
        applied: it is done, and on disk.
    """

    changes: list[DefinitionChange]
    counts: dict[str, int]
    applied: bool


def sections_of(instance: Instance) -> list[Section[Any]]:
    """The sections, in the order of the document."""
    broker = instance.broker
    return [
        AccountSection(broker, instance.security.htpasswd),
        TopicSection(broker),
        SubscriptionSection(broker),
        DocumentSection(broker),
        PropertySection(instance.property_book, PendingProperties(broker.documents, instance.property_book)),
        LogLevelSection(instance.log_levels),
        SubjectSection(broker),
    ]


async def export(instance: Instance, names: Collection[str], *, verifiers: bool) -> Definitions:
    """Write down what there is.

    Args:
        instance: the broker.
        names: of the sections that are wanted.
        verifiers: of passwords are wanted, too.
    """
    found: dict[str, list[Definition]] = {}
    for section in sections_of(instance):
        if section.name in names:
            found[section.name] = await section.read()
    if not verifiers:
        accounts = cast(list[AccountDefinition], found.get("accounts", []))
        without = [msgspec.structs.replace(each, scram_sha1=None, scram_sha256=None) for each in accounts]
        found |= {"accounts": list[Definition](without)} if "accounts" in found else {}
    fields = {each.encode_name: each.name for each in msgspec.structs.fields(Sections)}
    sections = Sections(**{fields[name]: cast(Any, definitions) for name, definitions in found.items()})
    node = instance.broker.node
    return Definitions(FORMAT, node.id, __version__, moment(node.now()), sections)


async def import_(
    instance: Instance, asker: Asker, document: Sections, names: Collection[str], *, replace: bool, rehearse: bool
) -> Imported:
    """Make the broker what a document says, in one commit.

    Args:
        instance: the broker.
        asker: who imports.
        document: what is wanted.
        names: of the sections that count.
        replace: delete what these lack.
        rehearse: change nothing.

    Raises:
        Refused: 409 with every conflict; nothing is changed then.
    """
    fields = {each.encode_name: each.name for each in msgspec.structs.fields(Sections)}
    sections = [each for each in sections_of(instance) if each.name in names]
    wanted = {each.name: getattr(document, fields[each.name]) for each in sections}
    sections = [each for each in sections if wanted[each.name] is not None]
    # Once those are read that wait for the store, nothing is waited for: what is checked is what there is when it is
    # changed.
    in_order = sorted(sections, key=lambda each: not each.reads_store)
    found = {each.name: await each.read() for each in in_order}
    planned = [
        each
        for section in sections
        for each in section.plan(asker, found[section.name], wanted[section.name], replace=replace)
    ]
    rows = [each.row for each in planned]
    if rehearse:
        return _told(rows, applied=False)
    conflicts = [each for each in rows if each.action is Action.CONFLICT]
    if conflicts:
        raise _refused(conflicts)
    _make(planned)
    finished = Deferred.fromCoroutine(_finish(instance.broker.node.store, sections))
    await instance.broker.node.trail.committed()  # which does not wait for ever
    await finished
    return _told(rows, applied=True)


async def _finish(store: IStore, sections: Sequence[Section[Any]]) -> None:
    """Have what depends on the changes follow when they are on disk, however long that takes."""
    committed: Deferred[None] = Deferred()
    store.when_committed(store.position, lambda: committed.callback(None))
    await committed
    reach("definitions committed")
    for section in sections:
        await section.finish()


def _make(planned: Sequence[Planned]) -> None:
    for number, each in enumerate(planned):
        if each.make is not None:
            each.make()
            if number == len(planned) // 2:
                reach("definitions half made")


def _told(rows: list[DefinitionChange], *, applied: bool) -> Imported:
    counts = Counter(each.action.value for each in rows)
    return Imported(rows, {action.value: counts[action.value] for action in Action}, applied)


def _refused(conflicts: Sequence[DefinitionChange]) -> Refused:
    details = [Detail(f"/sections/{each.kind}/{_token(each.name)}", each.reason or "") for each in conflicts]
    first = f"{details[0].pointer}: {details[0].detail}"
    text = f"{len(details)} conflicts, and nothing is changed: {first}"
    return Refused(HTTPStatus.CONFLICT, Code.USER_CONFIGURATION, text, details)


def _token(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
