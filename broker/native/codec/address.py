"""Addresses of servers and callbacks inside a connect QoS (spec xmlblaster §4.1)."""

from __future__ import annotations

from collections.abc import Mapping

from broker.model.connect import AddressQos
from broker.native.codec.property import ADDRESS_ATTRIBUTE, read_properties, write_properties
from broker.xml.parse import Element
from broker.xml.scan import number_attribute, switch, switch_attribute
from broker.xml.write import attributes, element, escape

DEFAULT_TYPE = "SOCKET"


def read_address(found: Element) -> AddressQos:
    """An ``<address>`` or ``<callback>``.

    Raises:
        BrokerError: ``user.illegalArgument`` for a value that cannot be read.
    """
    attributes = found.attributes
    burst = found.last.get("burstmode")
    compress = found.last.get("compress")
    host = attributes.get("bootstraphostname", attributes.get("hostname"))
    return AddressQos(
        type=attributes.get("type") or DEFAULT_TYPE,
        raw=found.text.strip(),
        version=attributes.get("version"),
        bootstrap_host=host,
        bootstrap_port=number_attribute(found, "bootstrapPort", number_attribute(found, "port", None)),
        session_id=attributes.get("sessionid"),
        ping_interval=number_attribute(found, "pingInterval", None),
        retries=number_attribute(found, "retries", None),
        delay=number_attribute(found, "delay", None),
        oneway=switch_attribute(found, "oneway", None),
        dispatcher_active=switch_attribute(found, "dispatcherActive", None),
        use_for_subject_queue=switch_attribute(found, "useForSubjectQueue", None),
        dispatch_plugin=attributes.get("dispatchplugin"),
        stall_on_ping_timeout=switch_attribute(found, "stallOnPingTimeout", None),
        burst_entries=number_attribute(burst, "maxEntries", None) if burst is not None else None,
        burst_bytes=number_attribute(burst, "maxBytes", None) if burst is not None else None,
        collect_time=number_attribute(burst, "collectTime", None) if burst is not None else None,
        compress_type=compress.attributes.get("type") if compress is not None else None,
        compress_min_size=number_attribute(compress, "minSize", None) if compress is not None else None,
        ptp=switch(found, "ptp", None),
        attributes=read_properties(found, ADDRESS_ATTRIBUTE),
    )


def write_address(address: AddressQos, tag: str) -> str:
    """The address as an element of the given name; settings left open are omitted."""
    settings = attributes(
        {
            "type": address.type,
            "version": address.version,
            "bootstrapHostname": address.bootstrap_host,
            "bootstrapPort": address.bootstrap_port,
            "sessionId": address.session_id,
            "pingInterval": address.ping_interval,
            "retries": address.retries,
            "delay": address.delay,
            "oneway": address.oneway,
            "dispatcherActive": address.dispatcher_active,
            "useForSubjectQueue": address.use_for_subject_queue,
            "dispatchPlugin": address.dispatch_plugin,
            "stallOnPingTimeout": address.stall_on_ping_timeout,
        }
    )
    body = "".join(
        (
            escape(address.raw),
            _write_if_any(
                "burstMode",
                {
                    "collectTime": address.collect_time,
                    "maxEntries": address.burst_entries,
                    "maxBytes": address.burst_bytes,
                },
            ),
            _write_if_any("compress", {"type": address.compress_type, "minSize": address.compress_min_size}),
            element("ptp", address.ptp) if address.ptp is not None else "",
            write_properties(address.attributes, ADDRESS_ATTRIBUTE),
        )
    )
    return f"<{tag}{settings}>{body}</{tag}>"


def _write_if_any(tag: str, settings: Mapping[str, str | int | None]) -> str:
    written = attributes(settings)
    return f"<{tag}{written}/>" if written else ""
