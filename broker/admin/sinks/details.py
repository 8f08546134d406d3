"""What an event says, in the words of the event plugin (spec xmlblaster §16.7)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from broker.core.events import Event
from broker.model.address import SessionName
from broker.model.number import whole_or_none
from broker.model.property import ClientProperty, property_of

_CLIENT = re.compile(r"client/(.+)/session/(-?\d+)/(?:event|queue/callback/event)/.+", re.DOTALL)
_SUBJECT = re.compile(r"client/(.+)/queue/subject/event/.+", re.DOTALL)
_TOPIC = re.compile(r"topic/(.+?)/(?:event|queue/history/event)/[^/]+", re.DOTALL)
_HAPPENED = {
    "connect": "has logged in",
    "disconnect": "has ended",
    "resume": "has come back",
    "blocked": "is not let in any more",
    "subscribe": "has a new subscription",
    "unSubscribe": "has a subscription less",
    "callbackState": "has another state of its deliveries",
    "connectionState": "has another state of its connection",
    "remoteProperties": "has other remote properties",
    "alive": "has its first message, or one again",
    "dead": "is gone",
}


@dataclass(frozen=True, slots=True)
class Details:
    """An event in words.

    Args:
        type: of it.
        node: id of the broker's node.
        summary: one sentence.
        description: what else is known of it, ``name=value`` a line.
        subject: login name; empty where there is none, as everything below.
        session: number of the session; 0 where there is none.
        absolute_name: of the session or the login name.
        subscription: id of the subscription.
        topic: its oid.
        url: the query of the subscription, ``exact:news``.
        error_code: why.
        at: milliseconds since 1970.
    """

    type: str
    node: str
    summary: str
    description: str
    subject: str
    session: int
    absolute_name: str
    subscription: str
    topic: str
    url: str
    error_code: str
    at: int

    def properties(self) -> tuple[ClientProperty, ...]:
        """As properties of a message."""
        texts = (
            ("_eventType", self.type),
            ("_nodeId", self.node),
            ("_summary", self.summary),
            ("_description", self.description),
            ("_subjectId", self.subject),
            ("_absoluteName", self.absolute_name),
            ("_subscriptionId", self.subscription),
            ("_topicId", self.topic),
            ("_oid", self.topic),
            ("_url", self.url),
            ("_errorCode", self.error_code),
            ("_clusterId", self.node),
        )
        found = [property_of(name, text) for name, text in texts if text]
        if self.session:
            found.append(ClientProperty("_publicSessionId", str(self.session), "long"))
        return tuple(found)


def details_of(event: Event, node: str) -> Details:
    """The details of an event.

    Args:
        event: of the core.
        node: id of the broker's node.
    """
    fields = event.fields
    subject, session, topic = "", 0, ""
    if (client := _CLIENT.fullmatch(event.type)) is not None:
        subject, session = client[1], whole_or_none(client[2]) or 0
    elif (queue := _SUBJECT.fullmatch(event.type)) is not None:
        subject = queue[1]
    elif (found := _TOPIC.fullmatch(event.type)) is not None:
        topic = found[1]
    kind, query = str(fields.get("kind", "")), str(fields.get("query", ""))
    if not topic and kind == "EXACT":
        topic = query
    return Details(
        type=event.type,
        node=node,
        summary=_summary(event),
        description="\n".join(f"{name}={value}" for name, value in fields.items()),
        subject=subject,
        session=session,
        absolute_name=SessionName(node, subject, session).absolute if subject else "",
        subscription=str(fields.get("subscriptionId", "")),
        topic=topic,
        url=f"{kind.lower()}:{query}" if query else "",
        error_code=str(fields.get("code", fields.get("reason", ""))) if "disconnect" in event.type else "",
        at=event.at,
    )


def _summary(event: Event) -> str:
    names, _, what = event.type.rpartition("/event/")
    fields = event.fields
    if "text" in fields:
        return str(fields["text"])
    if what.startswith("threshold."):
        return f"{names} holds {fields['entries']} of at most {fields['maxEntries']} entries"
    happened = _HAPPENED.get(what)
    if happened is not None:
        state = fields.get("state")
        return f"{names} {happened}" + (f": {state}" if state else "")
    told = ", ".join(f"{name}={value}" for name, value in fields.items())
    return told or event.type
