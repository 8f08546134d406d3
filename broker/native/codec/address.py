"""Addresses of servers and callbacks inside a connect QoS (spec xmlblaster §4.1)."""

from __future__ import annotations

from broker.model.connect import AddressQos
from broker.native.codec.property import ADDRESS_ATTRIBUTE, read_properties, write_properties
from broker.xml.parse import Element
from broker.xml.scan import number_attribute, switch, switch_attribute
from broker.xml.write import attribute, element, escape

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
    attributes = "".join(
        (
            attribute("type", address.type),
            attribute("version", address.version),
            attribute("bootstrapHostname", address.bootstrap_host),
            attribute("bootstrapPort", address.bootstrap_port),
            attribute("sessionId", address.session_id),
            attribute("pingInterval", address.ping_interval),
            attribute("retries", address.retries),
            attribute("delay", address.delay),
            attribute("oneway", address.oneway),
            attribute("dispatcherActive", address.dispatcher_active),
            attribute("useForSubjectQueue", address.use_for_subject_queue),
            attribute("dispatchPlugin", address.dispatch_plugin),
            attribute("stallOnPingTimeout", address.stall_on_ping_timeout),
        )
    )
    body = "".join(
        (
            escape(address.raw),
            _write_if_any(
                "burstMode",
                attribute("collectTime", address.collect_time)
                + attribute("maxEntries", address.burst_entries)
                + attribute("maxBytes", address.burst_bytes),
            ),
            _write_if_any(
                "compress", attribute("type", address.compress_type) + attribute("minSize", address.compress_min_size)
            ),
            element("ptp", address.ptp) if address.ptp is not None else "",
            write_properties(address.attributes, ADDRESS_ATTRIBUTE),
        )
    )
    return f"<{tag}{attributes}>{body}</{tag}>"


def _write_if_any(tag: str, attributes: str) -> str:
    return f"<{tag}{attributes}/>" if attributes else ""
