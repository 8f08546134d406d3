"""How a node is configured: what its owner may choose, the form, and how it is kept (XEP-0060 §8.2, §16.4.4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from broker.errors import BrokerError
from broker.model.number import whole_or_none
from broker.xml.tree import parse_tree
from broker.xmpp.features.pubsub.errors import refused
from broker.xmpp.features.pubsub.forms import Field, Option
from broker.xmpp.wire.errors import Condition
from broker.xmpp.wire.stanza import element

META = "node"
"""Element of a topic's meta data that says how its node is configured."""
MAX_TEXT = 255
"""Longest text in characters; what is longer is cut off."""
_BEGINNING = f"<{META} ".encode()
_CACHED = 1024
_LONGEST_CACHED = 1024

HEADLINE, NORMAL = "headline", "normal"
NEVER, ON_SUBSCRIBE = "never", "on_sub"


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """What the owner of a node may choose.

    Args:
        title: for people.
        max_items: items that are kept; 0 for none.
        description: for people.
        type: namespace of the payloads that XMPP clients publish; empty for any.
        deliver_payloads: subscribers are sent the payload of an item, not only its id.
        notify_retract: subscribers are told when items are gone.
        notification_type: of the messages to subscribers: :data:`HEADLINE` or :data:`NORMAL`.
        send_last_published_item: when a subscriber is sent the newest item: :data:`NEVER` or :data:`ON_SUBSCRIBE`.
    """

    title: str = ""
    max_items: int = 10
    description: str = ""
    type: str = ""
    deliver_payloads: bool = True
    notify_retract: bool = True
    notification_type: str = HEADLINE
    send_last_published_item: str = ON_SUBSCRIBE


_DEFAULT = NodeConfig()
_OPEN = Option("open", "Anyone may subscribe and retrieve items")
_ANYONE = Option("open", "Anyone may publish whom the broker lets publish")
_LEAF = Option("leaf", "The node is a leaf node (default)")
_NOTIFICATIONS = (Option(NORMAL, "Messages of type normal"), Option(HEADLINE, "Messages of type headline"))
_SENT_LAST = (Option(NEVER, "Never"), Option(ON_SUBSCRIBE, "When a new subscription is processed"))
_FIXED = {
    "deliver_notifications": True,
    "notify_config": False,
    "notify_delete": True,
    "notify_sub": False,
    "presence_based_delivery": False,
    "purge_offline": False,
    "subscribe": True,
    "tempsub": False,
}
"""Fields that no owner can choose, and what nodes do; who asks for something else is refused."""


def fields_of(config: NodeConfig) -> Sequence[Field]:
    """The form as it is filled in for a node."""
    return (
        _text("title", "A friendly name for the node", config.title),
        _text("description", "A description of the node", config.description),
        _text("type", "The namespace of the payloads", config.type),
        _text("max_items", "The maximum number of items to persist", str(config.max_items)),
        _switch("persist_items", "Whether to persist items to storage", config.max_items > 0),
        _switch("deliver_payloads", "Whether to deliver payloads with event notifications", config.deliver_payloads),
        _switch("notify_retract", "Whether to notify subscribers when items are removed", config.notify_retract),
        _choice("notification_type", "The type of notifications", config.notification_type, _NOTIFICATIONS),
        _choice(
            "send_last_published_item",
            "When to send the last published item",
            config.send_last_published_item,
            _SENT_LAST,
        ),
        _choice("access_model", "Who may subscribe and retrieve items", _OPEN.value, (_OPEN,)),
        _choice("publish_model", "The publisher model", _ANYONE.value, (_ANYONE,)),
        _choice("node_type", "Whether the node is a leaf or a collection", _LEAF.value, (_LEAF,)),
    )


def changed(config: NodeConfig, form: Mapping[str, str]) -> NodeConfig:
    """A configuration with the changes of a form; fields that nobody knows change nothing.

    Raises:
        StanzaError: ``not-acceptable`` for a value that cannot be served.
    """
    for name, value in form.items():
        var = name.removeprefix("pubsub#")
        change = _CHANGES.get(var) if var != name else None
        if change is not None:
            config = change(config, value)
        elif var != name and var in _FIXED and _boolean(value) is not _FIXED[var]:
            raise refused(Condition.NOT_ACCEPTABLE, text=f"{name} cannot be chosen here")
    return config


def write_meta(config: NodeConfig) -> bytes:
    """A configuration as meta data of a topic; what is as by default is left out."""
    attributes = {
        "title": config.title or None,
        "description": config.description or None,
        "type": config.type or None,
        "payloads": None if config.deliver_payloads else "0",
        "retract": None if config.notify_retract else "0",
        "notification": None if config.notification_type == HEADLINE else config.notification_type,
        "last": None if config.send_last_published_item == ON_SUBSCRIBE else config.send_last_published_item,
    }
    return element(META, attributes=attributes)


def read_meta(meta: bytes) -> NodeConfig:
    """The configuration in a topic's meta data; the default one where it is a native client's own."""
    if not meta.startswith(_BEGINNING):
        return _DEFAULT
    return _read_short(meta) if len(meta) <= _LONGEST_CACHED else _read(meta)


def _read(meta: bytes) -> NodeConfig:
    try:
        said = parse_tree(meta, "", what="meta data").attributes
    except BrokerError:  # a native client's own, such as one with prefixes
        return _DEFAULT
    return NodeConfig(
        title=said.get("title", ""),
        description=said.get("description", ""),
        type=said.get("type", ""),
        deliver_payloads=said.get("payloads") != "0",
        notify_retract=said.get("retract") != "0",
        notification_type=NORMAL if said.get("notification") == NORMAL else HEADLINE,
        send_last_published_item=NEVER if said.get("last") == NEVER else ON_SUBSCRIBE,
    )


_read_short = lru_cache(_CACHED)(_read)  # it is asked for with each notification


def _text(var: str, label: str, value: str) -> Field:
    return Field(f"pubsub#{var}", "text-single", value, label)


def _switch(var: str, label: str, value: bool) -> Field:
    return Field(f"pubsub#{var}", "boolean", "1" if value else "0", label)


def _choice(var: str, label: str, value: str, options: Sequence[Option]) -> Field:
    return Field(f"pubsub#{var}", "list-single", value, label, options)


def _line(value: str) -> str:
    return " ".join(value.split())[:MAX_TEXT]


def _boolean(value: str) -> bool:
    """A boolean field (XEP-0004 §3.3)."""
    if value not in ("0", "1", "false", "true"):
        raise refused(Condition.NOT_ACCEPTABLE, text="a boolean is 0, 1, false or true")
    return value in ("1", "true")


def _one_of(value: str, options: Sequence[Option], specific: str = "") -> str:
    if all(value != option.value for option in options):
        offered = ", ".join(option.value for option in options)
        raise refused(Condition.NOT_ACCEPTABLE, specific, f"'{value[:32]}' is none of {offered}")
    return value


def _with_count(config: NodeConfig, value: str) -> NodeConfig:
    count = 2**31 - 1 if value == "max" else whole_or_none(value, 0)
    if count is None:
        raise refused(Condition.NOT_ACCEPTABLE, text="pubsub#max_items is a number, or max")
    return replace(config, max_items=count)


def _with_persistence(config: NodeConfig, value: str) -> NodeConfig:
    return replace(config, max_items=(config.max_items or _DEFAULT.max_items) if _boolean(value) else 0)


def _unchanged(options: Sequence[Option], specific: str = "") -> Callable[[NodeConfig, str], NodeConfig]:
    def change(config: NodeConfig, value: str) -> NodeConfig:
        _one_of(value, options, specific)
        return config

    return change


_CHANGES: Mapping[str, Callable[[NodeConfig, str], NodeConfig]] = {
    "title": lambda config, value: replace(config, title=_line(value)),
    "description": lambda config, value: replace(config, description=_line(value)),
    "type": lambda config, value: replace(config, type=_line(value)),
    "max_items": _with_count,
    "persist_items": _with_persistence,
    "deliver_payloads": lambda config, value: replace(config, deliver_payloads=_boolean(value)),
    "notify_retract": lambda config, value: replace(config, notify_retract=_boolean(value)),
    "notification_type": lambda config, value: replace(config, notification_type=_one_of(value, _NOTIFICATIONS)),
    "send_last_published_item": lambda config, value: replace(
        config, send_last_published_item=_one_of(value, _SENT_LAST)
    ),
    "access_model": _unchanged((_OPEN,), "unsupported-access-model"),
    "publish_model": _unchanged((_ANYONE,)),
    "node_type": _unchanged((_LEAF,)),
}
