// strophe.js over WebSocket as a process of its own: commands and events as those of client.mjs.
import { createInterface } from "node:readline";
import { Strophe, $msg, $pres } from "strophe.js";

const [username, password, resource, service] = process.argv.slice(2);
const tell = (event, values = {}) => process.stdout.write(`${JSON.stringify({ event, ...values })}\n`);
const jid = `${username}@localhost/${resource}`;
const { Status } = Strophe;

const connection = new Strophe.Connection(service, { enableStreamManagement: true });
console.log = console.info = console.debug = (...words) => console.error(...words); // the library says things, too
let started = false;

const onMessage = (stanza) => {
  const body = Array.from(stanza.childNodes).find((child) => child.nodeName === "body");
  if (body) tell("message", { body: body.textContent });
  return true;
};
const onStatus = (status) => {
  if (status === Status.CONNECTED || status === Status.ATTACHED) {
    connection.addHandler(onMessage, null, "message"); // they are gone with each connection
    if (!started) {
      started = true;
      connection.send($pres());
      tell("started", { jid: connection.jid });
    } else {
      tell(connection.sm.resumed ? "resumed" : "started", { jid: connection.jid });
    }
  } else if (status === Status.DISCONNECTED) tell("lost");
  else if (status === Status.AUTHFAIL || status === Status.CONNFAIL || status === Status.ERROR) tell("error", { status });
};
const connect = () => connection.connect(jid, password, onStatus);

createInterface({ input: process.stdin }).on("line", (line) => {
  const command = JSON.parse(line);
  if (command.do === "send") {
    connection.send($msg({ to: command.to, type: "chat" }).c("body").t(command.body));
  } else if (command.do === "cut") {
    connection._proto.socket.terminate();
  } else if (command.do === "come back") {
    connect();
  } else if (command.do === "leave") {
    connection.disconnect();
    setTimeout(() => process.exit(0), 500);
  }
  tell("done");
});

connect();
