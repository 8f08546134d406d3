// An @xmpp/client as a process of its own: commands as JSON lines on its input, events as JSON lines on its output.
import { createInterface } from "node:readline";
import { client, xml } from "@xmpp/client";

const [username, password, resource, service] = process.argv.slice(2);
const tell = (event, values = {}) => console.log(JSON.stringify({ event, ...values }));

// It waits 2 s for an answer unless told otherwise, which a machine that is busy with other tests takes.
const timeout = 20_000;
const xmpp = client({ service, domain: "localhost", username, password, resource, timeout });
xmpp.reconnect.delay = 200;

xmpp.on("error", (error) => tell("error", { reason: String(error) }));
xmpp.on("disconnect", () => tell("lost"));
xmpp.on("online", async (address) => {
  await xmpp.send(xml("presence"));
  tell("started", { jid: address.toString(), tls: Boolean(xmpp.socket.encrypted ?? xmpp.socket.socket?.encrypted) });
});
xmpp.streamManagement.on("resumed", () => tell("resumed"));
xmpp.on("stanza", (stanza) => {
  const body = stanza.is("message") && stanza.getChildText("body");
  if (body) tell("message", { body, delayed: Boolean(stanza.getChild("delay", "urn:xmpp:delay")) });
});

createInterface({ input: process.stdin }).on("line", async (line) => {
  const command = JSON.parse(line);
  if (command.do === "send") {
    await xmpp.send(xml("message", { to: command.to, type: "chat" }, xml("body", {}, command.body)));
  } else if (command.do === "cut") {
    xmpp.reconnect.stop();
    const socket = xmpp.socket.socket ?? xmpp.socket;
    socket.destroy ? socket.destroy() : socket.close();
  } else if (command.do === "come back") {
    xmpp.reconnect.start();
    xmpp.reconnect.scheduleReconnect();
  } else if (command.do === "leave") {
    await xmpp.stop();
    process.exit(0);
  }
  tell("done");
});

await xmpp.start();
