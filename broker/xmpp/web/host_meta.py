"""Where clients find the doors over HTTP: host-meta as XML and as JSON (XEP-0156 §4, RFC 6415)."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from broker.errors import Code
from broker.net.http.exchange import Answer, Call, json
from broker.net.http.problem import Refused
from broker.net.http.routes import Route
from broker.xml.write import escape_attribute

WEBSOCKET = "urn:xmpp:alt-connections:websocket"
BOSH = "urn:xmpp:alt-connections:xbosh"
XRD_TYPE = "application/xrd+xml"
_XRD = "http://docs.oasis-open.org/ns/xri/xrd-1.0"
_CORS = (("Access-Control-Allow-Origin", "*"),)
"""Pages of all hosts may read it."""


def host_meta_routes(links: Mapping[str, str]) -> list[Route]:
    """The routes of host-meta.

    Args:
        links: addresses by relation, the best first; where there are none there is no host-meta.
    """
    listed = [{"rel": relation, "href": address} for relation, address in links.items()]
    written = "".join(
        [f"<Link rel='{escape_attribute(each['rel'])}' href='{escape_attribute(each['href'])}'/>" for each in listed]
    )
    document = f"<?xml version='1.0' encoding='utf-8'?><XRD xmlns='{_XRD}'>{written}</XRD>".encode()
    as_json = json({"links": listed}).body

    async def xml_answer(call: Call) -> Answer:
        return _answer(document, XRD_TYPE)

    async def json_answer(call: Call) -> Answer:
        return _answer(as_json, "application/json")

    def _answer(body: bytes, media_type: str) -> Answer:
        if not listed:
            raise Refused(HTTPStatus.NOT_FOUND, Code.USER_OID_UNKNOWN, "there is no host-meta here")
        return Answer(body, media_type, headers=_CORS)

    return [
        Route("GET", "/.well-known/host-meta", "anybody", xml_answer, summary="Where the doors are, as XML."),
        Route("GET", "/.well-known/host-meta.json", "anybody", json_answer, summary="Where the doors are, as JSON."),
    ]


def links_of(public_url: str) -> dict[str, str]:
    """The addresses of the doors by relation.

    Args:
        public_url: by which clients reach them, without a slash at its end; empty: none is known.
    """
    if not public_url:
        return {}
    return {WEBSOCKET: f"ws{public_url.removeprefix('http')}/ws", BOSH: f"{public_url}/http-bind"}
