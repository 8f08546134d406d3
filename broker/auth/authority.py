"""What an authenticated subject may do: lists of methods, each perhaps for some topics only (spec xmlblaster §13.2)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from zope.interface import implementer

from broker.errors import BrokerError, Code
from broker.ports import IAuthorizer

# A publishArr comes over the wire as a publish of several messages (spec §2), so there is no telling them apart.
_METHODS = {
    "connect": "connect",
    "disconnect": "disconnect",
    "get": "get",
    "erase": "erase",
    "publish": "publish",
    "publisharr": "publish",
    "publishoneway": "publishOneway",
    "subscribe": "subscribe",
    "unsubscribe": "unSubscribe",
    "update": "update",
    "updateoneway": "updateOneway",
    "ping": "ping",
}
_ANSWERED = {"publishOneway": "publish", "updateOneway": "update"}

_NAME = re.compile(r"\s*([^\s(),;!]*)\s*")
_TOPIC = re.compile(r'\s*(?:"([^"]*)"|([^";()]*))\s*')


@implementer(IAuthorizer)
class PermitAll:
    """Whoever is authenticated may do everything."""

    def permits(self, subject: str, method: str, target: str) -> bool:
        """See :class:`broker.ports.IAuthorizer`."""
        return True


class Schema(StrEnum):
    """How the text of a topic rule is compared with a query."""

    EXACT = "exact"
    STARTS_WITH = "startsWith"
    ENDS_WITH = "endsWith"
    DOMAIN = "domain"
    XPATH = "xpath"


_SCHEMAS = {schema.lower(): schema for schema in Schema}
_OF_OID = frozenset({Schema.EXACT, Schema.STARTS_WITH, Schema.ENDS_WITH})
_TARGETS = frozenset({"exact", "domain", "xpath", "subscriptionId"})


def _split_target(target: str) -> tuple[str, str]:
    kind, colon, text = target.partition(":")
    return (kind, text) if colon and kind in _TARGETS else ("exact", target)


@dataclass(frozen=True, slots=True)
class TopicRule:
    """One topic of a restricted method."""

    schema: Schema
    text: str

    def matches(self, kind: str, text: str) -> bool:
        """Whether a query of that kind and text is what the rule names; an XPath query is compared as it is written."""
        if kind == "exact":
            match self.schema:
                case Schema.EXACT:
                    return text == self.text
                case Schema.STARTS_WITH:
                    return text.startswith(self.text)
                case Schema.ENDS_WITH:
                    return text.endswith(self.text)
        return kind == self.schema.value and text == self.text

    def may_hide_behind(self, kind: str) -> bool:
        """Whether a query of that kind may select the rule's topics without naming them."""
        if kind == "domain":
            return self.schema in _OF_OID
        return kind in ("xpath", "subscriptionId") and self.schema is not Schema.XPATH


@dataclass(frozen=True, slots=True)
class MethodRules:
    """The third field of an htpasswd line.

    Args:
        methods: method to its topics, no topics meaning all. No method at all permits everything.
        negated: the list says what is forbidden, not what is allowed.
    """

    methods: Mapping[str, tuple[TopicRule, ...]] = field(default_factory=dict)
    negated: bool = False

    def permits(self, method: str, target: str) -> bool:
        """Whether ``method`` may be called on ``target`` (:meth:`broker.ports.IAuthorizer.permits`).

        A list of what is forbidden must not be open to a detour: it forbids a method's oneway form with the method, and
        a restricted method for queries that may select the topics without naming them. A list of what is allowed need
        not name ``connect``: whoever may do something may log in for it.
        """
        if not self.methods:
            return True
        method = _METHODS.get(method.lower(), method)
        if method == "connect" and not self.negated:
            return True
        kind, text = _split_target(target)
        if self.negated:
            return not any(self._forbids(name, kind, text) for name in {method, _ANSWERED.get(method, method)})
        topics = self.methods.get(method)
        return topics is not None and (not topics or any(topic.matches(kind, text) for topic in topics))

    def _forbids(self, method: str, kind: str, text: str) -> bool:
        topics = self.methods.get(method)
        if topics is None:
            return False
        return not topics or any(topic.matches(kind, text) or topic.may_hide_behind(kind) for topic in topics)


def parse_method_rules(text: str) -> MethodRules:
    """Read a list of methods: ``connect,publish(tennis;"startsWith:sport."),get`` or, to forbid, ``! erase``.

    Raises:
        BrokerError: ``resource.configuration`` that says what is wrong.
    """
    text = text.strip()
    if not text:
        return MethodRules()
    negated = text.startswith("!")
    position = 1 if negated else 0
    methods: dict[str, tuple[TopicRule, ...]] = {}
    while True:
        found = _NAME.match(text, position)
        name = found[1] if found else ""
        method = _METHODS.get(name.lower())
        if found is None or method is None:
            raise _malformed(f"{name!r} is not a method" if name else "a method is missing")
        position = found.end()
        topics: tuple[TopicRule, ...] = ()
        if text.startswith("(", position):
            topics, position = _parse_topics(text, position + 1)
        # The wider of two mentions counts: without topics is wider than any topics.
        known = methods.get(method)
        methods[method] = topics if known is None else (known + topics if known and topics else ())
        if position == len(text):
            return MethodRules(methods, negated)
        if text[position] != ",":
            raise _malformed(f"',' is missing after {name!r}")
        position += 1


def _parse_topics(text: str, position: int) -> tuple[tuple[TopicRule, ...], int]:
    """Read ``topic;topic)``; returns the topics and the position of what follows."""
    topics: list[TopicRule] = []
    while True:
        found = _TOPIC.match(text, position)
        if found is None or found.end() == len(text):
            raise _malformed("')' is missing")
        position = found.end() + 1
        end = text[found.end()]
        if end == '"':
            raise _malformed("a quote is not closed")
        if end not in ";)":
            raise _malformed("a topic must be followed by ';' or ')'")
        topics.append(_topic_rule(found[1], found[2]))
        if end == ")":
            while text.startswith((" ", "\t"), position):
                position += 1
            return tuple(topics), position


def _topic_rule(quoted: str | None, bare: str | None) -> TopicRule:
    text = (quoted if quoted is not None else bare or "").strip()
    prefix, colon, rest = text.partition(":")
    schema = _SCHEMAS.get(prefix.lower()) if colon else None
    if schema is None:
        if colon and quoted is not None:
            raise _malformed(f"{prefix!r} is not one of {', '.join(Schema)}")
        schema, rest = Schema.EXACT, text
    if not rest:
        raise _malformed("a topic is missing")
    return TopicRule(schema, rest)


def _malformed(reason: str) -> BrokerError:
    return BrokerError(Code.RESOURCE_CONFIGURATION, reason)
