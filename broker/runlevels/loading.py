"""Finding a plugin class by its dotted name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib import import_module
from typing import Any

from twisted.logger import Logger
from zope.interface.exceptions import Invalid
from zope.interface.verify import verifyClass

from broker.errors import BrokerError, Code
from broker.ports import IPlugin

log = Logger()

Factory = Callable[[Any, str, dict[str, str]], Any]
"""``(context, plugin_id, attributes)`` to an :class:`broker.ports.IPlugin`.

``context`` is the :class:`broker.app.Application`, ``attributes`` are the replaced ``<attribute>`` texts.
"""


def load(name: str) -> Factory:
    """Import a plugin class (or another factory of plugins).

    Args:
        name: ``package.module.Class`` or ``package.module:Class``, of this broker or of any installed package.

    Raises:
        BrokerError: ``resource.configuration.pluginFailed`` where there is none, or it does not implement IPlugin.
    """
    module_name, colon, attribute = name.partition(":")
    if not colon:
        module_name, _, attribute = name.rpartition(".")
    if not all(part.isidentifier() for part in (*module_name.split("."), attribute)):
        raise _failed(f"'{name}' is not package.module.Class")
    try:
        module = import_module(module_name)
    except Exception as error:
        # Whatever the module of somebody else raises; a missing one needs no trace.
        if not isinstance(error, ModuleNotFoundError):
            log.failure("importing {module} failed", module=module_name)
        raise _failed(f"class {name} cannot be imported: {error}") from error
    factory = getattr(module, attribute, None)
    if factory is None:
        raise _failed(f"module {module_name} has no {attribute}")
    _verify(name, factory)
    return factory  # type: ignore[no-any-return]


def _verify(name: str, factory: Any) -> None:
    if not callable(factory):
        raise _failed(f"{name} cannot be called to make a plugin")
    if inspect.isclass(factory):
        try:
            verifyClass(IPlugin, factory)
        except Invalid as error:
            raise _failed(f"class {name} is no plugin: {' '.join(str(error).split())}") from error


def _failed(reason: str) -> BrokerError:
    return BrokerError(Code.RESOURCE_CONFIGURATION_PLUGIN_FAILED, reason)
