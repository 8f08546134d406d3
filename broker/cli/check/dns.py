"""What DNS says of the XMPP domain: clients find its ports by SRV records (RFC 6120 §3.2.1, XEP-0368)."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from twisted.names.dns import ENAME, IN, OK, SRV, Message, Query, Record_SRV

from broker.cli.check.findings import Finding, Findings, Subject
from broker.cli.terminal import reason_of
from broker.model.host import is_loopback
from broker.model.number import whole_or_none
from broker.xmpp.settings import DOMAIN

DNS = Findings("dns")
RESOLVERS = Path("/etc/resolv.conf")
TIMEOUT = 3.0
"""Seconds that a resolver has."""
DNS_PORT = 53
LARGEST = 4096
LOCAL = "localhost"
XMPP_PLUGIN = "XmppPlugin"
SERVICES = {"_xmpp-client._tcp": "port", "_xmpps-client._tcp": "directTlsPort"}
"""Names of records, and the attribute of the listener that has their port."""

Lookup = Callable[[str], Sequence[tuple[str, int]]]
"""Hosts and ports of the SRV records of a name; raises :class:`OSError` where nobody answers."""
Resolve = Callable[[str], bool]
"""Whether a host has an address."""


def check_dns(subject: Subject, lookup: Lookup | None = None, resolve: Resolve | None = None) -> Iterator[Finding]:
    """Look up what clients of the XMPP domain look up.

    Args:
        subject: the broker.
        lookup: asks for SRV records.
        resolve: asks for addresses.
    """
    domain = DOMAIN.get(subject.properties)
    listener = next((each for each in subject.plugins if getattr(each.factory, "__name__", "") == XMPP_PLUGIN), None)
    if listener is None or domain == LOCAL or is_loopback(domain):
        yield DNS.ok("nothing is to be found by its name" if listener is None else f"xmpp.domain is {domain}")
        return
    found = 0
    for service, attribute in SERVICES.items():
        name = f"{service}.{domain}"
        try:
            records = (lookup or srv_records)(name)
        except OSError as error:
            yield DNS.warning(f"no answer about {name}: {reason_of(error)}", f"see {RESOLVERS}")
            continue
        number = whole_or_none(listener.attributes.get(attribute, ""), 1, 65535)
        for host, port in records:
            found += 1
            if host == ".":
                yield DNS.ok(f"{name} says that there is no such service")
            elif port != number:
                yield DNS.warning(
                    f"{name} says {host}:{port}, and plugin/{listener.id.lower()}/{attribute} is {number}",
                    "make them the same, unless something forwards that port",
                )
            elif not (resolve or has_address)(host):
                yield DNS.problem(f"{name} says {host}, which has no address", f"give {host} an A or AAAA record")
            else:
                yield DNS.ok(f"{name} says {host}:{port}")
    if not found and not (resolve or has_address)(domain):
        yield DNS.problem(
            f"{domain} has neither SRV records nor an address: no client finds it",
            f"add _xmpp-client._tcp.{domain} SRV 0 5 5222 and the name of this machine",
        )
    elif not found:
        yield DNS.ok(f"{domain} has no SRV records; clients use its address, and the usual ports")


def srv_records(name: str) -> list[tuple[str, int]]:
    """Ask the first resolver of this machine for SRV records.

    Args:
        name: of the records.

    Raises:
        OSError: there is no resolver, or it does not answer.
    """
    address = first_resolver(RESOLVERS.read_text(errors="replace"))
    if address is None:
        raise OSError("no resolver is configured")
    question = Message(recDes=1)
    question.id = 1 + len(name)
    question.queries = [Query(name.encode("idna"), SRV, IN)]
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as asked:
        asked.settimeout(TIMEOUT)
        asked.connect((address, DNS_PORT))
        asked.send(question.toStr())
        return read_srv(asked.recv(LARGEST))


def read_srv(answer: bytes) -> list[tuple[str, int]]:
    """Hosts and ports in an answer.

    Raises:
        OSError: it is none.
    """
    message = Message()
    try:
        message.fromStr(answer)
    except (EOFError, ValueError, IndexError) as error:
        raise OSError("the resolver's answer cannot be read") from error
    if message.rCode not in (OK, ENAME):
        raise OSError(f"the resolver failed (RCODE {message.rCode})")
    payloads: list[object] = [each.payload for each in message.answers]
    records = [each for each in payloads if isinstance(each, Record_SRV)]
    return [(record.target.name.decode("ascii", "replace") or ".", record.port) for record in records]


def first_resolver(text: str) -> str | None:
    """The address of the first resolver in ``resolv.conf`` (resolv.conf(5)), ``None`` where there is none."""
    for line in text.splitlines():
        words = line.split()
        if len(words) > 1 and words[0] == "nameserver":
            return words[1].partition("%")[0]
    return None


def has_address(host: str) -> bool:
    """Whether a host has one."""
    try:
        return bool(socket.getaddrinfo(host, None))
    except (OSError, UnicodeError):
        return False
