// One queue.

import { queueActions } from "./actions.js";
import { ask, path, Refused } from "./api.js";
import { at, el, link, name, renew, visible } from "./dom.js";
import { ago, bytes, count, number, percent } from "./format.js";
import { entriesPanel } from "./entries.js";
import { every } from "./live.js";
import { group } from "./session.js";
import { whyPanel } from "./why.js";

const WHAT = { callback: "Messages for the session", subject: "Messages for whoever logs in as", history: "What is kept of the topic" };

/** The page. */
export function show(place) {
  const [, relating, owner] = place.segments;
  const content = el("div.details");
  let row = null;
  const actions = relating === "history" ? null : queueActions(() => row);

  async function look() {
    try {
      row = await ask(path("queues", relating, owner), { automatic: true });
      renew(content, tell(row));
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      row = null;
      renew(content, el("div.empty", null, el("p", null, error.status === 404 ? "This queue is not there: what it belonged to has ended, or never was." : visible(error.message))));
    }
    if (actions) actions.hidden = row === null;
  }

  const end = every(1, look);
  return {
    title: owner,
    node: el("div.object", null, el("p.trail", null, link("#/queues", "Queues")), el("div.heading", null, el("h1", null, name(owner)), actions), content, entriesPanel(relating, owner)),
    stop: end,
  };
}

function ownerLink({ relating, owner }) {
  if (relating === "history") return link(at(["topics", owner]), name(owner));
  if (relating === "subject") return link(at(["sessions"], { subject: owner }), name(owner));
  const cut = owner.lastIndexOf("~");
  const [subject, number] = [owner.slice(0, cut), owner.slice(cut + 1)];
  return link(at(["sessions", subject, number]), name(`${subject}/${number}`));
}

function tell(row) {
  return [
    el("p.lead", null, el("span", null, WHAT[row.relating] ?? row.relating, " ", ownerLink(row))),
    whyPanel(row.waiting, row.entries),
    el(
      "div.facts",
      null,
      group("Messages", [
        ["Messages", count(row.entries), `of ${count(row.maxEntries)}`],
        ["Bytes", bytes(row.bytes), `of ${bytes(row.maxBytes)}`],
        ["Full", percent(row.fillRatio), row.onOverflow ? `then: ${row.onOverflow}` : "then the oldest go"],
        ["Oldest", row.oldestAt ? `${ago(row.oldestAt)} ago` : "–"],
        ...(row.leftPerSecond === undefined ? [] : [["Leave it", `${number(row.leftPerSecond)} per second`]]),
        ...(row.publishersWaiting ? [["Publishers wait for room", count(row.publishersWaiting)]] : []),
      ]),
      group("Where they are", [
        ["In memory", count(row.inMemory)],
        ["On disk only", count(row.onDisk)],
        ...(row.durable === undefined ? [] : [["Survive a crash", count(row.durable)]]),
      ]),
    ),
  ];
}
