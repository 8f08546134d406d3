"""A slixmpp client as a process of its own: commands as JSON lines on its input, events as JSON lines on its output."""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
from typing import Any

import slixmpp


class Client(slixmpp.ClientXMPP):
    """Logs in with TLS and SCRAM, and comes back by itself unless it was told to cut its connection.

    Args:
        jid: full JID.
        password: of the account.
        certificate: PEM file that the server's certificate must be in.
        address: host and port.
    """

    def __init__(self, jid: str, password: str, certificate: str, address: tuple[str, int]) -> None:
        super().__init__(jid, password)
        self.address = address
        self.enable_direct_tls = False
        self.ssl_context = ssl.create_default_context(cafile=certificate)
        self.leaving = False
        self.away = False
        for plugin in ("xep_0030", "xep_0060", "xep_0198", "xep_0199", "xep_0203", "xep_0280"):
            self.register_plugin(plugin)
        self.add_event_handler("session_start", self.started)
        self.add_event_handler("session_resumed", lambda _: tell("resumed"))
        self.add_event_handler("message", self.received)
        self.add_event_handler("pubsub_publish", lambda message: tell("event", payload=str(message)))
        self.add_event_handler("changed_status", lambda presence: tell("presence", who=str(presence["from"])))
        self.add_event_handler("presence_unavailable", lambda presence: tell("gone", who=str(presence["from"])))
        self.add_event_handler("roster_update", lambda _: tell("roster", subscriptions=self.subscriptions()))
        self.add_event_handler("failed_all_auth", lambda _: tell("refused"))
        self.add_event_handler("disconnected", self.lost)
        self.add_event_handler("connection_failed", self.lost)

    def dial(self) -> None:
        """Connect."""
        self.connect(*self.address)

    async def started(self, _: object) -> None:
        """A new session begins."""
        self.send_presence()
        await self.get_roster()
        tell("started", jid=str(self.boundjid), tls=self.socket_is_secure())

    def socket_is_secure(self) -> bool:
        """Whether TLS is on."""
        return self.transport is not None and self.transport.get_extra_info("cipher") is not None

    def received(self, message: Any) -> None:
        """A message has come."""
        if message["body"]:
            tell("message", body=message["body"], delayed=bool(message.get_plugin("delay", check=True)))

    def lost(self, _: object) -> None:
        """The connection is gone: try again until it works."""
        tell("lost")
        if not (self.leaving or self.away):
            self.loop.call_later(0.2, self.dial)

    def subscriptions(self) -> dict[str, str]:
        """The roster."""
        return {jid: self.client_roster[jid]["subscription"] for jid in self.client_roster}

    async def obey(self, command: dict[str, Any]) -> bool:
        """Do what is asked; tells whether to go on."""
        match command.pop("do"):
            case "send":
                self.send_message(mto=command["to"], mbody=command["body"], mtype="chat")
            case "cut":
                self.away = True
                assert self.transport is not None
                self.transport.abort()
            case "come back":
                self.away = False
                self.dial()
            case "subscribe presence":
                self.send_presence_subscription(command["to"])
            case "create":
                await self.plugin["xep_0060"].create_node(command["host"], command["node"])
            case "subscribe":
                await self.plugin["xep_0060"].subscribe(command["host"], command["node"])
            case "publish":
                payload = slixmpp.xmlstream.ET.Element("{urn:test}entry")
                payload.text = command["text"]
                await self.plugin["xep_0060"].publish(command["host"], command["node"], payload=payload)
            case "leave":
                self.leaving = True
                await self.disconnect()
                return False
        tell("done")
        return True


def tell(event: str, **values: object) -> None:
    """Report an event."""
    print(json.dumps({"event": event, **values}), flush=True)


async def main(jid: str, password: str, certificate: str, host: str, port: int) -> None:
    """Connect, and obey until told to leave."""
    client = Client(jid, password, certificate, (host, port))
    client.dial()
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        try:
            if not await client.obey(json.loads(line)):
                break
        except slixmpp.exceptions.XMPPError as error:
            tell("failed", reason=str(error))


if __name__ == "__main__":
    _, own_jid, own_password, trusted, server, number = sys.argv
    asyncio.run(main(own_jid, own_password, trusted, server, int(number)))
