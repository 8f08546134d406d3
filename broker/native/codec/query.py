"""The QoS of subscribe, unSubscribe, get and erase (spec xmlblaster §4.6)."""

from __future__ import annotations

from broker.model.qos import Method, QueryQos
from broker.native.codec.cache import cached_by_bytes
from broker.native.codec.filter import read_filters, write_filters
from broker.native.codec.property import read_properties, write_properties
from broker.native.codec.status import marker
from broker.xml.parse import Element
from broker.xml.scan import number_attribute, read_root, required_attribute, switch, switch_attribute
from broker.xml.write import attribute, escape, qos, switch_element

DEFAULT_HISTORY_ENTRIES = 1


@cached_by_bytes
def read_query_qos(data: bytes) -> QueryQos:
    """The QoS of a query.

    Args:
        data: UTF-8; less than 11 bytes count as ``<qos/>``.

    Raises:
        BrokerError: ``user.illegalArgument`` for malformed or hostile XML and for values that cannot be read.
    """
    root = read_root(data, "qos")
    erase = root.last.get("erase")
    history = root.last.get("history")
    return QueryQos(
        subscription_id=_read_subscription_id(root),
        force_destroy=switch_attribute(erase, "forceDestroy", False) if erase is not None else False,
        meta=switch(root, "meta", True),
        content=switch(root, "content", True),
        multi_subscribe=switch(root, "multisubscribe", True),
        local=switch(root, "local", True),
        initial_update=switch(root, "initialupdate", True),
        update_oneway=switch(root, "updateoneway", False),
        notify=switch(root, "notify", True),
        persistent=switch(root, "persistent", False),
        filters=read_filters(root),
        query_spec=_read_query_spec(root),
        history_entries=(
            number_attribute(history, "numEntries", DEFAULT_HISTORY_ENTRIES) if history is not None else None
        ),
        newest_first=switch_attribute(history, "newestFirst", True) if history is not None else True,
        properties=read_properties(root),
    )


def _read_subscription_id(root: Element) -> str:
    subscribe = root.last.get("subscribe")
    if subscribe is not None and subscribe.attributes.get("id"):
        return subscribe.attributes["id"]
    alias = root.last.get("id")
    return alias.text.strip() if alias is not None else ""


def _read_query_spec(root: Element) -> tuple[str, str] | None:
    found = root.last.get("queryspec")
    return (required_attribute(found, "type"), found.text.strip()) if found is not None else None


def write_query_qos(given: QueryQos, method: Method | None = None) -> bytes:
    """The QoS as XML; what holds its default is omitted.

    Args:
        given: the options.
        method: adds the method's marker element, as clients do.
    """
    history = given.history_entries
    return qos(
        f"<subscribe{attribute('id', given.subscription_id)}/>" if given.subscription_id else "",
        f"<erase{attribute('forceDestroy', True)}/>" if given.force_destroy else "",
        switch_element("meta", given.meta, True),
        switch_element("content", given.content, True),
        switch_element("multiSubscribe", given.multi_subscribe, True),
        switch_element("local", given.local, True),
        switch_element("initialUpdate", given.initial_update, True),
        switch_element("updateOneway", given.update_oneway, False),
        switch_element("notify", given.notify, True),
        switch_element("persistent", given.persistent, False),
        write_filters(given.filters),
        _write_query_spec(given.query_spec),
        f"<history{attribute('numEntries', history)}{attribute('newestFirst', given.newest_first)}/>"
        if history is not None
        else "",
        marker(method),
        write_properties(given.properties),
    )


def _write_query_spec(spec: tuple[str, str] | None) -> str:
    if spec is None:
        return ""
    return f"<querySpec{attribute('type', spec[0])}>{escape(spec[1])}</querySpec>"
