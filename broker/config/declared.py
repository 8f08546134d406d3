"""The modules that declare properties.

They are named by text and not imported, because most of them lie in layers above this one.
"""

from __future__ import annotations

from importlib import import_module

from broker.config.options import REGISTRY, Registry

MODULES = (
    "broker.config.core_options",
    "broker.logs.settings",
    "broker.net.relay_settings",
    "broker.store.backup_settings",
    "broker.auth.wiring",
    "broker.auth.passwords",
    "broker.admin.options",
    "broker.native.xmlrpc.settings",
    "broker.xmpp.settings",
    "broker.xmpp.managers.settings",
    "broker.xmpp.web.settings",
    "broker.xmpp.bosh.settings",
)


def load() -> Registry:
    """Import every module that declares properties, and return the registry with all of them."""
    for module in MODULES:
        import_module(module)
    return REGISTRY
