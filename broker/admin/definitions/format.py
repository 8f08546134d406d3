"""The document: what each section has. Within version 1 fields are only added."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import msgspec

from broker.admin.actions.change import Body
from broker.admin.api.openapi import described
from broker.admin.views.accounts import AccountRole
from broker.logs.settings import Level

FORMAT = "broker-definitions/1"
MAX_SESSIONS = 2_147_483_647


class Definition(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, rename="camel"):
    """One object of a section."""


class AccountDefinition(Definition, frozen=True):
    """An account of the store.

    Args:
        name: login name.
        role: in administration.
        blocked: its logins are refused.
        max_sessions: that it may have; 0 for what the configuration says.
        scram_sha1: verifier of its password, ``iterations$salt$stored key$server key``; left out where it is not to be
            told, and where an account is to keep its own.
        scram_sha256: likewise.
    """

    name: str
    role: AccountRole = AccountRole.NONE
    blocked: bool = False
    max_sessions: Annotated[int, msgspec.Meta(ge=0, le=MAX_SESSIONS)] = 0
    scram_sha1: str | None = None
    scram_sha256: str | None = None


class TopicDefinition(Definition, frozen=True):
    """A topic, without its messages; nodes of pub/sub are topics, too.

    Args:
        oid: its name.
        key: its key as XML.
        qos: publish QoS as XML whose ``<topic>`` section configures it.
        owner: login name of whom it belongs to.
        creator: login name that it counts for.
    """

    oid: str
    key: str
    qos: str
    owner: str = ""
    creator: str = ""


class SubscriptionDefinition(Definition, frozen=True):
    """A persistent subscription.

    Args:
        id: of it, unique in the broker.
        key: the query as XML.
        qos: the options as XML.
    """

    id: str
    key: str
    qos: str


class SessionDefinition(Definition, frozen=True):
    """The persistent subscriptions of a session, and what the session is made of where it is not there.

    Args:
        subject: login name.
        kind: of the session.
        subscriptions: of it.
        number: of the session; left out where it is the broker's own choice.
        state: what the session is made of, without secrets.
    """

    subject: str
    kind: str
    subscriptions: list[SubscriptionDefinition]
    number: Annotated[int, msgspec.Meta(ge=0, le=2**53)] = 0
    state: str = ""


class DocumentDefinition(Definition, frozen=True):
    """A contact of a roster, a blocked address, a vCard or private XML.

    Args:
        owner: login name.
        kind: of the document.
        name: within these two.
        text: of it.
    """

    owner: str
    kind: str
    name: str
    text: str = ""


class PropertyDefinition(Definition, frozen=True):
    """A property that was changed while the broker ran, and is kept.

    Args:
        name: of it.
        value: its text.
    """

    name: str
    value: str


class LogLevelDefinition(Definition, frozen=True):
    """A level of the log that was changed while the broker ran, and does not return by itself.

    Args:
        namespace: of the part; empty for all that has no level of its own.
        level: of it.
    """

    namespace: str
    level: Level


class SubjectDefinition(Definition, frozen=True):
    """A login name without an account in the store that is blocked, or whose sessions are limited.

    Args:
        name: login name.
        blocked: its logins are refused.
        max_sessions: that it may have; 0 for what the configuration says.
    """

    name: str
    blocked: bool = False
    max_sessions: Annotated[int, msgspec.Meta(ge=0, le=MAX_SESSIONS)] = 0


class Sections(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, rename="camel"):
    """What is defined; a section that is left out is not touched.

    Args:
        accounts: of the store.
        topics: all that are stored.
        subscriptions: persistent ones, by their sessions.
        xmpp: documents of accounts.
        properties: those kept in ``runtime.properties``.
        log_levels: those changed while the broker runs.
        subjects: limits of login names without account.
    """

    accounts: list[AccountDefinition] | None = None
    topics: list[TopicDefinition] | None = None
    subscriptions: list[SessionDefinition] | None = None
    xmpp: list[DocumentDefinition] | None = None
    properties: list[PropertyDefinition] | None = None
    log_levels: list[LogLevelDefinition] | None = None
    subjects: list[SubjectDefinition] | None = None


SECTIONS = tuple(each.encode_name for each in msgspec.structs.fields(Sections))
"""Their names, in the order of the document."""


class Definitions(msgspec.Struct, frozen=True, rename="camel"):
    """The document.

    Args:
        format: and version of it.
        node: id of the broker that wrote it.
        version: of that broker's program.
        exported_at: when it was written.
        sections: what is defined.
    """

    format: str
    node: str
    version: str
    exported_at: str
    sections: Sections


class DefinitionsToImport(Body, frozen=True):
    """The document, as it is read; of its head only ``format`` counts.

    Args:
        format: see :class:`Definitions`, and the others.
        sections: see there.
        node: see there.
        version: see there.
        exported_at: see there.
    """

    format: Literal["broker-definitions/1"]
    sections: Sections
    node: str = ""
    version: str = ""
    exported_at: str = ""


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of what is read."""
    (root,), components = msgspec.json.schema_components([DefinitionsToImport], ref_template="#/$defs/{name}")
    definitions = {name: described(components[name]) for name in sorted(components)}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **root, "$defs": definitions}


def in_lines(document: Definitions) -> bytes:
    """The document with one object a line, so that two of them can be compared line by line."""
    return b"".join(_lines(document))


def _lines(document: Definitions) -> Iterator[bytes]:
    head = {name: value for name, value in msgspec.to_builtins(document).items() if name != "sections"}
    yield b"{\n"
    for name, value in head.items():
        yield b"%b:%b,\n" % (msgspec.json.encode(name), msgspec.json.encode(value))
    yield b'"sections":{'
    before = b"\n"
    for field in msgspec.structs.fields(Sections):
        objects: list[Definition] | None = getattr(document.sections, field.name)
        if objects is not None:
            yield b"%b%b:[" % (before, msgspec.json.encode(field.encode_name))
            yield b",".join(b"\n%b" % msgspec.json.encode(each) for each in objects)
            yield b"\n]" if objects else b"]"
            before = b",\n"
    yield b"\n}\n}\n"
