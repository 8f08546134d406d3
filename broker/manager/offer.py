"""What a server that speaks routes has its managers offer to clients (spec connection-manager §3, §6)."""

from __future__ import annotations

from dataclasses import dataclass

from broker.xml.tree import Tree
from broker.xmpp.wire import ns, routes

START_TLS = f"<starttls xmlns='{ns.TLS}'/>".encode()
START_TLS_REQUIRED = f"<starttls xmlns='{ns.TLS}'><required/></starttls>".encode()
BOUND = f"<bind xmlns='{ns.BIND}'/><session xmlns='{ns.SESSION}'/>".encode()
CANNOT_WORK = ("EXTERNAL", "-PLUS")
"""Ends of the names of mechanisms that need what the server cannot know of a client's TLS."""


@dataclass(frozen=True, slots=True)
class Offer:
    """The server's configuration.

    Args:
        tls: clients may start TLS.
        tls_required: and must.
        mechanisms: of SASL, by name.
    """

    tls: bool
    tls_required: bool
    mechanisms: tuple[str, ...]

    @classmethod
    def of(cls, configuration: Tree) -> Offer:
        """What a ``<configuration/>`` says."""
        tls = configuration.find(ns.TLS, "starttls")
        mechanisms = configuration.find(ns.SASL, "mechanisms")
        names = () if mechanisms is None else tuple([each.text.strip() for each in mechanisms.children])
        return cls(
            tls is not None,
            tls is not None and tls.find(ns.TLS, "required") is not None,
            tuple([name for name in names if name and not name.endswith(CANNOT_WORK)]),
        )

    def features(self, *, secure: bool, logged_in: bool) -> bytes:
        """The ``<stream:features/>`` of a client.

        Args:
            secure: it has TLS.
            logged_in: it has logged in.
        """
        if logged_in:
            return b"<stream:features>%b</stream:features>" % BOUND
        tls = b""
        if self.tls and not secure:
            tls = START_TLS_REQUIRED if self.tls_required else START_TLS
        mechanisms = b""
        if secure or not self.tls_required:
            names = b"".join([b"<mechanism>%b</mechanism>" % name.encode() for name in self.mechanisms])
            mechanisms = b"<mechanisms xmlns='%b'>%b</mechanisms>" % (ns.SASL.encode(), names)
        return b"<stream:features>%b%b</stream:features>" % (tls, mechanisms)


def content_of(route: Tree) -> list[Tree]:
    """What a route brings, as elements for a client's stream.

    Openfire from 4.8 on writes answers of SASL into it as escaped text.

    Args:
        route: of the server.
    """
    children = route.children
    if not children and route.text.lstrip().startswith("<"):
        children = [routes.read(route.text.strip().encode())]
    return [routes.as_clients(child) for child in children]
