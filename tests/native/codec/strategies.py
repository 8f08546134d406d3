"""Hypothesis strategies for every value that is written as XML."""

from __future__ import annotations

from hypothesis import strategies as st

from broker.model.connect import AddressQos, ConnectQos, Credentials, SessionQos
from broker.model.key import Filter, Key, QueryKey, QueryKind
from broker.model.property import ClientProperty
from broker.model.qos import (
    Destination,
    DisconnectQos,
    Method,
    Overflow,
    PublishQos,
    QueryQos,
    QueueQos,
    RouteNode,
    StatusQos,
    TopicQos,
    UpdateQos,
)

characters = st.characters(
    exclude_categories=["Cs"],
    exclude_characters=[chr(c) for c in range(32) if c not in (9, 10, 13)] + ["\ufffe", "\uffff"],
)
texts = st.text(characters, max_size=12) | st.sampled_from(
    ["<a>&'\"]]></a>", "\r\n\t x", "100%d%%", "ä€😀", "__base64:"]
)
names = st.text(characters, min_size=1, max_size=12)
trimmed = texts.map(str.strip)
"""Texts of elements that are pretty-printed by some peers, and so are read without the blanks around them."""

numbers = st.integers(-(2**63), 2**63 - 1)
counts = st.integers(0, 2**63 - 1)
life_times = st.integers(-1, 2**63 - 1)
optional_numbers = st.none() | numbers
optional_switches = st.none() | st.booleans()

properties = st.lists(
    st.builds(
        ClientProperty,
        name=names,
        value=texts,
        type=st.sampled_from(["", "int", "byte[]", "String"]) | texts,
        encoding=st.sampled_from(["", "base64", "forcePlain"]),
        charset=texts,
    ),
    max_size=3,
).map(tuple)

filters = st.lists(st.builds(Filter, type=names, query=trimmed, version=names), max_size=2).map(tuple)

queues = st.builds(
    QueueQos,
    relating=st.sampled_from(["connection", "subject", "callback", "history", "msgUnitStore"]),
    type=st.none() | names,
    version=st.none() | names,
    max_entries=optional_numbers,
    max_bytes=optional_numbers,
    max_entries_cache=optional_numbers,
    max_bytes_cache=optional_numbers,
    on_overflow=st.none() | st.sampled_from(Overflow),
    on_failure=st.none() | names,
)

topics = st.builds(
    TopicQos,
    readonly=st.booleans(),
    destroy_delay=optional_numbers,
    create_dom_entry=st.booleans(),
    distributor=st.none() | names,
    history=st.none() | queues,
    store=st.none() | queues,
)

routes = st.builds(RouteNode, id=names, stratum=numbers, timestamp=numbers, dirty_read=st.booleans())

publishes = st.builds(
    PublishQos,
    priority=st.integers(0, 9),
    subscribable=st.booleans(),
    destinations=st.lists(
        st.builds(
            Destination, name=trimmed, query_type=st.sampled_from(["EXACT", "XPATH"]), force_queuing=st.booleans()
        ),
        max_size=2,
    ).map(tuple),
    life_time=life_times,
    force_destroy=st.booleans(),
    persistent=st.booleans(),
    force_update=st.booleans(),
    administrative=st.booleans(),
    topic=st.none() | topics,
    properties=properties,
    state=names,
    info=texts,
    sender=trimmed,
    routes=st.lists(routes, max_size=3).map(tuple),
)

answers_to_get = st.builds(
    UpdateQos,
    publish=publishes,
    subscription_id=texts,
    received=counts,
    remaining_life=life_times,
    queue_index=st.just(0),
    queue_size=st.just(0),
    redeliver=counts,
)

updates = st.builds(
    UpdateQos,
    publish=publishes.map(
        lambda qos: PublishQos(
            **{
                name: getattr(qos, name)
                for name in PublishQos.__slots__
                if name != "topic" and (name != "routes" or len(qos.routes) != 1)
            }
        )
    ),
    subscription_id=texts,
    received=counts,
    remaining_life=life_times,
    queue_index=counts,
    queue_size=st.integers(1, 2**63 - 1),
    redeliver=counts,
)

queries = st.builds(
    QueryQos,
    subscription_id=texts,
    force_destroy=st.booleans(),
    meta=st.booleans(),
    content=st.booleans(),
    multi_subscribe=st.booleans(),
    local=st.booleans(),
    initial_update=st.booleans(),
    update_oneway=st.booleans(),
    notify=st.booleans(),
    persistent=st.booleans(),
    filters=filters,
    query_spec=st.none() | st.tuples(names, trimmed),
    history_entries=numbers,
    newest_first=st.booleans(),
    properties=properties,
) | st.builds(QueryQos, filters=filters, properties=properties)

statuses = st.builds(
    StatusQos,
    state=names,
    info=texts,
    subscription_id=texts,
    oid=texts,
    received=numbers,
    method=st.none() | st.sampled_from(Method),
    properties=properties,
)

disconnects = st.builds(
    DisconnectQos, delete_subject_queue=st.booleans(), clear_sessions=st.booleans(), properties=properties
)

addresses = st.builds(
    AddressQos,
    type=names,
    raw=trimmed,
    version=st.none() | texts,
    bootstrap_host=st.none() | texts,
    bootstrap_port=optional_numbers,
    session_id=st.none() | texts,
    ping_interval=optional_numbers,
    retries=optional_numbers,
    delay=optional_numbers,
    oneway=optional_switches,
    dispatcher_active=optional_switches,
    use_for_subject_queue=optional_switches,
    dispatch_plugin=st.none() | texts,
    stall_on_ping_timeout=optional_switches,
    burst_entries=optional_numbers,
    burst_bytes=optional_numbers,
    collect_time=optional_numbers,
    compress_type=st.none() | texts,
    compress_min_size=optional_numbers,
    ptp=optional_switches,
    attributes=properties,
)

sessions = st.builds(
    SessionQos,
    name=trimmed,
    timeout=optional_numbers,
    max_sessions=optional_numbers,
    clear_sessions=optional_switches,
    reconnect_same_client_only=optional_switches,
    secret_id=texts,
)

credentials = st.builds(Credentials, type=texts, user=trimmed, password=texts, version=names)

connects = st.builds(
    ConnectQos,
    credentials=st.none() | credentials,
    session=sessions,
    ptp=st.booleans(),
    cluster_node=st.booleans(),
    refresh_session=st.booleans(),
    duplicate_updates=st.booleans(),
    instance_id=trimmed,
    persistent=st.booleans(),
    reconnected=st.booleans(),
    queues=st.lists(st.tuples(queues, st.lists(addresses, max_size=2).map(tuple)), max_size=2).map(tuple),
    server_refs=st.lists(st.tuples(texts, trimmed), max_size=2).map(tuple),
    properties=properties,
)

metas = st.sampled_from(
    [b"", b"\n  <a/>\n ", b"<a b='>'><![CDATA[ <x> ]]></a>", b"<!-- c --><p:a xmlns:p='urn:p'/>", "text ä".encode()]
)

keys = st.builds(Key, oid=texts, mime=names, mime_extended=texts, domain=texts, meta=metas)

query_keys = st.one_of(
    st.builds(
        QueryKey,
        kind=st.just(QueryKind.EXACT),
        oid=texts.filter(lambda oid: not oid.startswith("__subId:")),
        filters=filters,
    ),
    st.builds(QueryKey, kind=st.just(QueryKind.SUBSCRIPTION), oid=texts.map("__subId:{}".format), filters=filters),
    st.builds(QueryKey, kind=st.just(QueryKind.XPATH), text=trimmed.filter(bool), filters=filters),
    st.builds(QueryKey, kind=st.just(QueryKind.DOMAIN), domain=names, filters=filters),
)
