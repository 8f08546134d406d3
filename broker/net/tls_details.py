"""What an administrator wants to know of somebody's TLS."""

from __future__ import annotations

from dataclasses import dataclass

from OpenSSL import SSL

MAX_TEXT = 255
"""Characters of each of the details; no name of a host is longer (RFC 1035 §2.3.4)."""


@dataclass(frozen=True, slots=True)
class TlsDetails:
    """How a connection is secured, as texts of printable ASCII.

    Args:
        version: e.g. ``TLSv1.3``; empty where it is not known.
        cipher: its name; likewise.
        sni: the name that the client has asked for (RFC 6066 §3); empty where it has not, or for none that can be.
    """

    version: str = ""
    cipher: str = ""
    sni: str = ""

    @classmethod
    def of(cls, connection: SSL.Connection) -> TlsDetails:
        """Those of a connection.

        Args:
            connection: on the server's side, whose handshake is over.
        """
        sni = connection.get_servername()
        return cls(
            connection.get_protocol_version_name(),
            connection.get_cipher_name() or "",
            clean("" if sni is None else sni.decode("latin-1")),
        )

    def fields(self) -> dict[str, str]:
        """For a line of the audit; what is not known is left out."""
        fields = {"tls": self.version, "cipher": self.cipher, "sni": self.sni}
        return {name: value for name, value in fields.items() if value}


def clean(text: str) -> str:
    """A text that somebody else has chosen, where it can be one of the details; else nothing."""
    return text if len(text) <= MAX_TEXT and text.isascii() and text.isprintable() else ""
