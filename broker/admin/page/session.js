// One session: why it waits, its queue, its stream, what it did.

import { sessionActions } from "./actions.js";
import { ask, path, Refused } from "./api.js";
import { at, el, link, name, put, renew, visible } from "./dom.js";
import { ago, bytes, clock, count, duration, percent, until } from "./format.js";
import { entriesPanel } from "./entries.js";
import { every } from "./live.js";
import { stateCell } from "./sessions.js";
import { whyPanel } from "./why.js";

/** The page. */
export function show(place) {
  const [, subject, number] = place.segments;
  const title = `${subject}/${number}`;
  const content = el("div.details");
  let row = null;
  const actions = sessionActions(() => row, look);
  actions.node.hidden = true;

  async function look() {
    try {
      row = await ask(path("sessions", subject, number), { automatic: true });
      actions.follow(row);
      renew(content, tell(row));
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      row = null;
      renew(content, gone(error, subject));
    }
    actions.node.hidden = row === null;
  }

  const end = every(1, look);
  return {
    title,
    node: el("div.object", null, el("p.trail", null, link("#/sessions", "Sessions")), el("div.heading", null, el("h1", null, name(title)), actions.node), content, entriesPanel("callback", `${subject}~${number}`)),
    stop: end,
  };
}

function gone(error, subject) {
  return el(
    "div.empty",
    null,
    el("p", null, error.status === 404 ? "This session is not there: it has ended, or never was." : visible(error.message)),
    el("p", null, link(at(["sessions"], { subject }), "Sessions of ", name(subject)), " · ", link(at(["queues", "subject", subject]), "their common queue")),
  );
}

function tell(row) {
  const { queue, counters, stream } = row;
  const owner = `${row.subject}~${row.publicId}`;
  return [
    el("p.lead", null, stateCell(row), el("span", null, row.kind), row.resource ? el("span", null, "resource ", name(row.resource)) : null, row.persistent ? el("span", null, "survives a crash") : null),
    whyPanel(row.waiting, queue.entries),
    row.lastError ? el("p.error", null, el("strong", null, "Last error of a delivery "), el("bdi", null, visible(row.lastError))) : null,
    el(
      "div.facts",
      null,
      group("Queue", [
        ["Messages", link(at(["queues", "callback", owner]), count(queue.entries)), `of ${count(queue.maxEntries)}`],
        ["Bytes", bytes(queue.bytes), `of ${bytes(queue.maxBytes)}`],
        ["Full", percent(queue.fillRatio), `then: ${queue.onOverflow}`],
        ["In memory", count(queue.inMemory)],
        ["Survive a crash", count(queue.durable)],
        ["Oldest", queue.oldestAt ? `${ago(queue.oldestAt)} ago` : "–"],
      ]),
      stream ? group("Stream", streamRows(stream)) : null,
      group("What it did", Object.entries(counters).map(([term, value]) => [term, count(value)])),
      group("Session", [
        ["Subject", link(at(["sessions"], { subject: row.subject }), name(row.subject))],
        ["Made", clock(row.createdAt)],
        ["Last request", clock(row.lastSeenAt), `${duration(row.idleSeconds)} ago`],
        ["Ends", row.endsAt ? `in ${until(row.endsAt)}` : "never by itself"],
        ["Subscriptions", count(row.subscriptions)],
        ["Deliveries", row.active ? "go on" : "are held back"],
        ["Callback", row.connectionState],
        ...(row.whyTransient ? [["Not persistent", visible(row.whyTransient)]] : []),
      ]),
    ),
  ];
}

function streamRows(stream) {
  if (!stream.managed) return [["Stream management", "off"]];
  return [
    ["Not acknowledged", count(stream.unacked), `of ${count(stream.window)}`],
    ...(stream.sent === undefined ? [] : [["Sent", count(stream.sent)], ["Acknowledged", count(stream.acknowledged)], ["Received", count(stream.handled)]]),
    ...(stream.lastAckAt ? [["Last acknowledgement", clock(stream.lastAckAt)]] : []),
  ];
}

/** Facts of one kind. */
export function group(title, rows) {
  return el(
    "div",
    null,
    el("h2", null, title),
    el("dl", null, rows.map(([term, value, more]) => el("div", null, el("dt", null, term), el("dd", null, value, more ? el("small", null, more) : null)))),
  );
}
