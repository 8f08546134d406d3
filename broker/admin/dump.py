"""What there is, as XML for people who look into a broker (spec xmlblaster §16.1, ``dump`` and ``toXml``)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import TypeVar

from broker.admin.values import date
from broker.core.node import Node
from broker.core.queues import Queue
from broker.core.sessions import Session
from broker.core.subjects import Subject
from broker.core.subscriptions import Subscription
from broker.core.topics import Topic
from broker.xml.write import attribute

MAX_SHOWN = 250
"""Things of one kind that a dump shows: whoever asks keeps all others waiting meanwhile."""

T = TypeVar("T")


def of_node(node: Node) -> str:
    """The node, its clients with their sessions, and its topics; of subscriptions only how many there are."""
    head = attribute("id", node.id) + attribute("startupDate", date(node.started))
    clients = _some(node.subjects.values(), of_subject, "client")
    topics = _some(node.topics.values(), lambda topic: f"\n <topic{_topic(topic)}/>", "topic")
    return f"<node{head}>{clients}{topics}\n</node>"


def of_subject(subject: Subject) -> str:
    """A login name, what waits for it, and its sessions."""
    head = attribute("id", subject.name) + attribute("maxSessions", subject.max_sessions)
    sessions = _some(subject.sessions.values(), of_session, "session")
    return f"\n <client{head}{_queue(subject.queue, 'subjectQueue')}>{sessions}\n </client>"


def of_session(session: Session) -> str:
    """A session, without anything that would let the reader act as its client."""
    dispatch = session.dispatch
    head = "".join(
        (
            attribute("id", session.name.public_id),
            attribute("connectionState", dispatch.state.value),
            attribute("dispatcherActive", dispatch.active),
            attribute("persistent", session.persistent),
            attribute("loginDate", date(session.logged_in)),
            attribute("timeout", session.timeout),
            attribute("numSubscriptions", len(session.subscriptions)),
            _queue(session.queue, "cbQueue"),
        )
    )
    return f"\n  <session{head}/>"


def of_subscriptions(session: Session) -> str:
    """The subscriptions of a session."""
    return _some(session.subscriptions.values(), of_subscription, "subscription").strip()


def of_subscription(subscription: Subscription) -> str:
    """A subscription."""
    head = "".join(
        (
            attribute("id", subscription.id),
            attribute("query", subscription.key.url),
            attribute("persistent", subscription.persistent),
            attribute("creationTimestamp", date(subscription.created)),
        )
    )
    return f"\n<subscription{head}/>"


def of_topic(topic: Topic) -> str:
    """A topic, its key and the subscriptions that receive from it."""
    subscribers = _some(topic.subscriptions, _subscriber, "subscriber")
    key = topic.encoded.key.decode("utf-8", "replace").strip()
    return f"<topic{_topic(topic)}>{key}{subscribers}\n</topic>"


def _topic(topic: Topic) -> str:
    return "".join(
        (
            attribute("id", topic.oid),
            attribute("state", topic.state.value),
            attribute("owner", topic.owner or None),
            attribute("numOfHistoryEntries", len(topic.history)),
            attribute("numSubscribers", len(topic.subscriptions)),
        )
    )


def _subscriber(subscription: Subscription) -> str:
    head = attribute("id", subscription.id) + attribute("session", subscription.session.name.relative)
    return f"\n <subscriber{head}/>"


def _queue(queue: Queue, name: str) -> str:
    return (
        attribute(f"{name}NumMsgs", len(queue))
        + attribute(f"{name}Bytes", queue.bytes)
        + attribute(f"{name}MaxMsgs", queue.limits.entries)
    )


def _some(things: Iterable[T], write: Callable[[T], str], name: str) -> str:
    """The first of them, and how many more there are."""
    every = list(things)
    text = "".join(map(write, islice(every, MAX_SHOWN)))
    more = len(every) - MAX_SHOWN
    return f"{text}\n <more{attribute(name, more)}/>" if more > 0 else text
