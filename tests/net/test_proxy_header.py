"""PROXY headers, by the bytes that HAProxy's own text gives (proxy-protocol.txt §2)."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.net.proxy_header import MAX_BODY, SIGNATURE, Proxied, ProxyHeaderError, decode, encode

PORTS = st.integers(0, 65535)


def version_2(command: int, family: int, body: bytes) -> bytes:
    return SIGNATURE + bytes((command, family)) + len(body).to_bytes(2, "big") + body


IPV4 = socket.inet_aton("192.0.2.7") + socket.inet_aton("198.51.100.1") + (5555).to_bytes(2, "big") + b"\x14\x66"


def test_line_of_version_1() -> None:
    line = b"PROXY TCP4 192.0.2.7 198.51.100.1 5555 5222\r\n"
    assert decode(line + b"<stream") == Proxied("192.0.2.7", 5555, len(line))


def test_line_of_version_1_for_ipv6() -> None:
    line = b"PROXY TCP6 2001:db8::7 2001:db8::1 5555 5222\r\n"
    assert decode(line) == Proxied("2001:db8::7", 5555, len(line))


def test_unknown_of_version_1_is_the_proxys_own_connection() -> None:
    assert decode(b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n") == Proxied("", 0, 35)


def test_version_2() -> None:
    header = version_2(0x21, 0x11, IPV4)
    assert decode(header + b"more") == Proxied("192.0.2.7", 5555, len(header))


def test_what_version_2_has_behind_the_addresses_is_passed_over() -> None:
    header = version_2(0x21, 0x11, IPV4 + b"\x03\x00\x04\x01\x02\x03\x04")
    assert decode(header) == Proxied("192.0.2.7", 5555, len(header))


def test_local_of_version_2_is_the_proxys_own_connection() -> None:
    assert decode(version_2(0x20, 0x00, b"")) == Proxied("", 0, 16)


def test_family_that_is_not_of_the_internet_is_the_proxys_own_connection() -> None:
    assert decode(version_2(0x21, 0x31, b"\x00" * 216)) == Proxied("", 0, 232)


@pytest.mark.parametrize(
    "data",
    [
        b"<?xml version='1.0'?>",
        b"\x16\x03\x01",
        b"PROXY\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 5555\r\n",
        b"PROXY TCP5 192.0.2.7 198.51.100.1 5555 5222\r\n",
        b"PROXY TCP4 host.example 198.51.100.1 5555 5222\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 70000 5222\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 \xb2 5222\r\n",
        b"PROXY TCP4 " + b"1" * 100,
        version_2(0x11, 0x11, IPV4),
        version_2(0x22, 0x11, IPV4),
        version_2(0x21, 0x11, IPV4[:-1]),
        version_2(0x21, 0x11, b"\x00" * (MAX_BODY + 1)),
    ],
)
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(ProxyHeaderError):
        decode(data)


@given(st.ip_addresses(), PORTS, st.ip_addresses(), PORTS, st.binary(max_size=20))
def test_what_is_written_is_read_with_whatever_follows_it(
    client: object, client_port: int, server: object, server_port: int, rest: bytes
) -> None:
    header = encode(str(client), client_port, str(server), server_port)
    found = decode(header + rest)
    assert found is not None
    assert (found.port, found.size) == (client_port, len(header))
    mapped = getattr(client, "ipv4_mapped", None)
    assert found.host == str(mapped or client)


@given(st.sampled_from([b"PROXY TCP4 192.0.2.7 198.51.100.1 5555 5222\r\n", version_2(0x21, 0x11, IPV4)]), st.data())
def test_a_part_of_a_header_is_waited_for(header: bytes, data: st.DataObject) -> None:
    assert decode(header[: data.draw(st.integers(0, len(header) - 1))]) is None


@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda rest: SIGNATURE + rest))
def test_whatever_comes_is_read_waited_for_or_refused(data: bytes) -> None:
    try:
        found = decode(data)
    except ProxyHeaderError:
        return
    assert found is None or 0 < found.size <= len(data)


def test_only_addresses_are_written() -> None:
    with pytest.raises(ValueError, match=r"'host\.example' is not an address"):
        encode("host.example", 1, "127.0.0.1", 2)
