"""Keys of published messages and keys of queries (spec xmlblaster §3)."""

from __future__ import annotations

from broker.errors import BrokerError, Code
from broker.model.key import DEFAULT_MIME, SUBSCRIPTION_PREFIX, Filter, Key, QueryKey, QueryKind
from broker.native.codec.cache import cached_by_bytes
from broker.native.codec.filter import read_filters, write_filters
from broker.xml.scan import read_root
from broker.xml.write import attribute, escape

_URL_KINDS = {
    "exact": QueryKind.EXACT,
    "oid": QueryKind.EXACT,
    "xpath": QueryKind.XPATH,
    "domain": QueryKind.DOMAIN,
    "subscriptionid": QueryKind.SUBSCRIPTION,
}
_REFUSED_URL_KINDS = {"regex"}


@cached_by_bytes
def read_key(data: bytes) -> Key:
    """The key of a published message (spec xmlblaster §3.1).

    Args:
        data: UTF-8; less than 11 bytes count as a key without oid.

    Raises:
        BrokerError: ``user.illegalArgument`` for malformed or hostile XML.
    """
    root = read_root(data, "key")
    attributes = root.attributes
    return Key(
        oid=attributes.get("oid", ""),
        mime=attributes.get("contentmime") or DEFAULT_MIME,
        mime_extended=attributes.get("contentmimeextended", ""),
        domain=attributes.get("domain", ""),
        meta=root.markup,
    )


def write_key(key: Key) -> bytes:
    """The key as XML, its meta data byte for byte."""
    head = "".join(
        (
            "<key",
            attribute("oid", key.oid),
            attribute("contentMime", key.mime if key.mime != DEFAULT_MIME else None),
            attribute("contentMimeExtended", key.mime_extended or None),
            attribute("domain", key.domain or None),
        )
    ).encode()
    return b"%b>%b</key>" % (head, key.meta) if key.meta else head + b"/>"


@cached_by_bytes
def read_query_key(data: bytes) -> QueryKey:
    """The key of a subscribe, unSubscribe, get or erase (spec xmlblaster §3.2).

    Text inside the element is an XPath expression, also where no ``queryType`` says so.

    Args:
        data: UTF-8; less than 11 bytes count as an exact query for an empty oid.

    Raises:
        BrokerError: ``user.illegalArgument`` for malformed or hostile XML, ``user.query.type.invalid`` for an unknown
            query type, ``user.query.invalid`` for an XPATH or DOMAIN query that does not say what it looks for.
    """
    root = read_root(data, "key")
    attributes = root.attributes
    oid = attributes.get("oid", "")
    domain = attributes.get("domain", "")
    text = root.text.strip()
    kind = _query_kind(attributes.get("querytype") or QueryKind.EXACT.value)
    if kind is QueryKind.EXACT and text:
        kind = QueryKind.XPATH
    return _query(kind, {QueryKind.XPATH: text, QueryKind.DOMAIN: domain}.get(kind, oid), read_filters(root))


def parse_query_url(text: str) -> QueryKey:
    """The query in short notation (spec xmlblaster §3.2).

    Args:
        text: ``exact:Hello``, ``oid:Hello``, ``xpath://key``, ``domain:RUGBY``, ``subscriptionId:__subId:1``; anything
            without such a prefix is an oid.

    Raises:
        BrokerError: ``user.query.type.invalid`` for ``regex:``, ``user.query.invalid`` for an empty XPath or domain.
    """
    prefix, separator, rest = text.partition(":")
    prefix = prefix.strip().lower()
    if separator and prefix in _REFUSED_URL_KINDS:
        raise BrokerError(Code.USER_QUERY_TYPE_INVALID, f"query type '{prefix}' is not supported")
    if separator and prefix in _URL_KINDS:
        return _query(_URL_KINDS[prefix], rest.strip())
    return _query(QueryKind.EXACT, text.strip())


def write_query_key(key: QueryKey) -> bytes:
    """The query as XML."""
    match key.kind:
        case QueryKind.XPATH:
            head, body = attribute("queryType", key.kind.value), escape(key.text)
        case QueryKind.DOMAIN:
            head, body = attribute("queryType", key.kind.value) + attribute("domain", key.domain), ""
        case QueryKind.EXACT | QueryKind.SUBSCRIPTION:
            head, body = attribute("oid", key.oid), ""
    body += write_filters(key.filters)
    return (f"<key{head}>{body}</key>" if body else f"<key{head}/>").encode()


def _query_kind(name: str) -> QueryKind:
    match name.upper():
        case "EXACT":
            return QueryKind.EXACT
        case "XPATH":
            return QueryKind.XPATH
        case "DOMAIN":
            return QueryKind.DOMAIN
    raise BrokerError(Code.USER_QUERY_TYPE_INVALID, f"query type '{name[:64]}' is not supported")


def _query(kind: QueryKind, value: str, filters: tuple[Filter, ...] = ()) -> QueryKey:
    match kind:
        case QueryKind.XPATH:
            if not value:
                raise BrokerError(Code.USER_QUERY_INVALID, "XPATH query without an expression")
            return QueryKey(kind, text=value, filters=filters)
        case QueryKind.DOMAIN:
            if not value:
                raise BrokerError(Code.USER_QUERY_INVALID, "DOMAIN query without a domain")
            return QueryKey(kind, domain=value, filters=filters)
        case QueryKind.EXACT | QueryKind.SUBSCRIPTION:
            if value.startswith(SUBSCRIPTION_PREFIX):
                kind = QueryKind.SUBSCRIPTION
            return QueryKey(kind, oid=value, filters=filters)
