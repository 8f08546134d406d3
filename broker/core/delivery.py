"""How updates are delivered to one receiver, as its callback address says (spec xmlblaster §4.1, §20.1)."""

from __future__ import annotations

from dataclasses import dataclass

from broker.errors import BrokerError, Code
from broker.model.connect import AddressQos
from broker.model.number import whole, whole_or_none
from broker.model.plugin import is_chosen
from broker.model.property import check_properties, find

SECOND = 1000
MINIMUM_PING_INTERVAL = 10
DEFAULT_PING_TIMEOUT = 60 * SECOND
PING_TIMEOUT = "pingResponseTimeout"
UPDATE_TIMEOUT = "updateResponseTimeout"
UNLIMITED = 2_147_483_647
"""Response timeouts of this many milliseconds (or none) mean for ever (spec §20.1)."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """How deliveries to one receiver behave, with all defaults applied (spec §4.1). Times in milliseconds."""

    ping_interval: int = 60_000
    retries: int = 0
    delay: int = 60_000
    oneway: bool = False
    burst_entries: int = 1
    burst_bytes: int = -1
    collect_time: int = 0
    stall_on_ping_timeout: bool = False
    ping_timeout: int = DEFAULT_PING_TIMEOUT  # 0: for ever, as for updates
    update_timeout: int = 0

    @classmethod
    def of(cls, address: AddressQos | None) -> Delivery:
        """The settings of a callback address; the defaults where there is none, and for what cannot be read."""
        if address is None:
            return cls()

        def timeout(name: str, default: int) -> int:
            given = find(address.attributes, name)
            value = None if given is None else whole_or_none(given.text)
            if value is None or value <= 0:
                return default
            return 0 if value >= UNLIMITED else value

        interval = 60_000 if address.ping_interval is None else address.ping_interval
        if 0 < interval < MINIMUM_PING_INTERVAL:
            interval = MINIMUM_PING_INTERVAL
        return cls(
            ping_interval=interval,
            retries=address.retries if address.retries is not None else 0,
            delay=max(0, address.delay) if address.delay is not None else 60_000,
            oneway=bool(address.oneway),
            burst_entries=address.burst_entries if address.burst_entries else 1,
            burst_bytes=address.burst_bytes if address.burst_bytes is not None else -1,
            collect_time=max(0, address.collect_time or 0),
            stall_on_ping_timeout=bool(address.stall_on_ping_timeout),
            ping_timeout=timeout(PING_TIMEOUT, DEFAULT_PING_TIMEOUT),
            update_timeout=timeout(UPDATE_TIMEOUT, 0),
        )


def check_address(address: AddressQos) -> None:
    """Refuse a callback address whose settings cannot be read.

    Raises:
        BrokerError: ``user.illegalArgument``.
    """
    check_properties(address.attributes)
    for name in (PING_TIMEOUT, UPDATE_TIMEOUT):
        given = find(address.attributes, name)
        if given is not None and given.text.strip():
            whole(given.text, f"the attribute {name}")


def check_callback(address: AddressQos) -> None:
    """Refuse a callback address that asks for a dispatch plugin that is not there.

    Raises:
        BrokerError: ``resource.configuration.pluginFailed``.
    """
    plugin = address.dispatch_plugin
    if plugin is not None and is_chosen(plugin):
        raise BrokerError(Code.RESOURCE_CONFIGURATION_PLUGIN_FAILED, f"there is no dispatch plugin '{plugin[:64]}'")
