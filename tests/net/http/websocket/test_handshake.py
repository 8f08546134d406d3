"""Who may upgrade to WebSocket (RFC 6455 §4.2, §10.2)."""

from __future__ import annotations

from http import HTTPStatus

import pytest

from broker.net.http.problem import Refused
from broker.net.http.websocket.handshake import accept, check_origin

HEADERS = {
    "host": "chat.example:5281",
    "upgrade": "websocket",
    "connection": "keep-alive, Upgrade",
    "sec-websocket-version": "13",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    "sec-websocket-protocol": "chat, xmpp",
}


def test_a_handshake_is_accepted_with_the_subprotocol_and_the_proof_of_the_standard() -> None:
    answer = dict(accept(HEADERS, "xmpp"))
    assert answer == {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",  # RFC 6455 §1.3
        "Sec-WebSocket-Protocol": "xmpp",
    }


def test_the_words_of_the_handshake_may_be_in_any_case() -> None:
    assert accept({**HEADERS, "upgrade": "WebSocket", "connection": "UPGRADE"}, "xmpp")


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("upgrade", "", HTTPStatus.UPGRADE_REQUIRED),
        ("upgrade", "h2c", HTTPStatus.UPGRADE_REQUIRED),
        ("connection", "close", HTTPStatus.UPGRADE_REQUIRED),
        ("sec-websocket-version", "8", HTTPStatus.UPGRADE_REQUIRED),
        ("sec-websocket-key", "", HTTPStatus.BAD_REQUEST),
        ("sec-websocket-key", "c2hvcnQ=", HTTPStatus.BAD_REQUEST),
        ("sec-websocket-key", "not base64", HTTPStatus.BAD_REQUEST),
        ("sec-websocket-protocol", "", HTTPStatus.BAD_REQUEST),
        ("sec-websocket-protocol", "mqtt", HTTPStatus.BAD_REQUEST),
        ("sec-websocket-protocol", "XMPP", HTTPStatus.BAD_REQUEST),
    ],
)
def test_what_is_no_handshake_for_it_is_refused(name: str, value: str, status: HTTPStatus) -> None:
    with pytest.raises(Refused) as refused:
        accept({**HEADERS, name: value}, "xmpp")
    assert refused.value.status is status
    if status is HTTPStatus.UPGRADE_REQUIRED:
        assert ("Sec-WebSocket-Version", "13") in refused.value.headers


@pytest.mark.parametrize(
    ("origin", "origins"),
    [
        (None, ()),
        ("https://chat.example:5281", ()),
        ("http://CHAT.example:5281", ()),
        ("https://elsewhere.example", ("https://elsewhere.example",)),
        ("https://elsewhere.example:443", ("https://elsewhere.example/",)),
        ("null", ("*",)),
        (None, ("https://elsewhere.example",)),
    ],
)
def test_pages_of_the_own_host_those_that_are_listed_and_what_is_no_browser_may_connect(
    origin: str | None, origins: tuple[str, ...]
) -> None:
    check_origin(HEADERS if origin is None else {**HEADERS, "origin": origin}, origins)


@pytest.mark.parametrize(
    ("origin", "origins"),
    [
        ("https://elsewhere.example", ()),
        ("https://chat.example", ()),
        ("null", ()),
        ("", ()),
        ("https://chat.example:5281", ("https://elsewhere.example",)),
        ("http://elsewhere.example", ("https://elsewhere.example",)),
        ("https://elsewhere.example.evil", ("https://elsewhere.example",)),
    ],
)
def test_pages_of_others_may_not_connect(origin: str, origins: tuple[str, ...]) -> None:
    with pytest.raises(Refused) as refused:
        check_origin({**HEADERS, "origin": origin}, origins)
    assert refused.value.status is HTTPStatus.FORBIDDEN
