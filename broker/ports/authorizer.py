"""Who may do what."""

from __future__ import annotations

from zope.interface import Interface


class IAuthorizer(Interface):
    """Decides what an authenticated subject may do."""

    def permits(subject: str, method: str, target: str) -> bool:
        """Whether ``subject`` may call ``method`` on ``target``.

        ``target`` is the query in short notation (``exact:Hello``, ``xpath:…``, ``domain:…``) or empty.
        """
