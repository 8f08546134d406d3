"""The commands that ask a broker: a row each. Their parsers, the documents and the tests are made of this table.

What a command takes and prints comes from the description of its operation (``openapi.json``): the parameters of the
query are its options, the fields of the answer its columns.
"""

from __future__ import annotations

from broker.cli.ops.verbs_of_clients import CLIENT_VERBS
from broker.cli.ops.verbs_of_messages import MESSAGE_VERBS
from broker.cli.ops.verbs_of_node import NODE_VERBS

NOUNS = {
    "sessions": "sessions of clients, attached or not",
    "subjects": "login names: whether they may log in, and how many sessions they may have",
    "subscriptions": "subscriptions, and why they get what is published",
    "connections": "connections of clients",
    "topics": "topics, their subscribers and histories",
    "queues": "queues of sessions and login names, and histories",
    "dead": "dead messages: those that could not be delivered",
    "accounts": "accounts, of a broker that runs, or of its database where none does",
    "properties": "properties of the configuration, as they are now",
    "definitions": "what the broker has been made to be: accounts, topics, subscriptions and the like, as a document",
    "routes": "the ways of messages of XMPP clients",
    "run-level": "the run level",
    "plugins": "plugins",
    "backups": "backups that the broker makes itself; broker backup works without one that runs",
    "operations": "work that takes long, such as the purge of a long queue",
    "listeners": "listeners for clients",
    "log": "levels of the log",
    "tokens": "tokens, by which programs administer over a port",
}
"""First words of commands that have two."""

VERBS = (*NODE_VERBS, *CLIENT_VERBS, *MESSAGE_VERBS)

ASKING = tuple(dict.fromkeys(verb.name.partition(" ")[0] for verb in VERBS))
"""First words of the commands."""

_HELPS = {verb.name: verb.help for verb in VERBS}


def help_of(first: str) -> str:
    """What the commands with a first word are about, or what the one does that is this word."""
    return NOUNS[first] if first in NOUNS else _HELPS[first]


WITHOUT_A_VERB = {
    "getHistory": "for the charts of the console; broker top shows numbers as they are, Prometheus keeps them",
    "logIn": "for browsers: a command has the socket, or a token",
    "logOut": "likewise",
    "followStream": "for pages: --watch and broker top ask again and again",
    "getDefinitionsSchema": "broker api GET /definitions/schema",
    "getDocument": "broker api GET /openapi.json; the command has a copy of its own",
}
"""Operations that no command asks for, and why not."""
