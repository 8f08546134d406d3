// One topic.

import { topicActions } from "./actions.js";
import { ask, path, Refused } from "./api.js";
import { at, el, link, name, renew, visible } from "./dom.js";
import { bytes, count } from "./format.js";
import { entriesPanel } from "./entries.js";
import { every } from "./live.js";
import { group } from "./session.js";
import { receivers } from "./subscriptions.js";

const STATES = { UNCONFIGURED: "nobody has published yet", ALIVE: "alive", UNREFERENCED: "is soon to go" };

/** The page. */
export function show(place) {
  const oid = place.segments[1];
  const content = el("div.details");
  const table = receivers(`${path("topics", oid)}/receivers`);
  let row = null;
  const actions = topicActions(() => row, look);
  actions.hidden = true;

  async function look() {
    try {
      row = await ask(path("topics", oid), { automatic: true });
      renew(content, tell(row));
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      row = null;
      renew(content, el("div.empty", null, el("p", null, error.status === 404 ? "There is no such topic." : visible(error.message))));
    }
    actions.hidden = row === null;
  }

  const end = every(1, look);
  return {
    title: oid,
    node: el("div.object", null, el("p.trail", null, link("#/topics", "Topics")), el("div.heading", null, el("h1", null, name(oid)), actions), content, el("section.panel", null, el("h2", null, "Receivers"), el("div.short", null, table.node)), entriesPanel("history", oid)),
    stop: () => {
      end();
      table.stop();
    },
  };
}

function tell(row) {
  return [
    el("p.lead", null, el("span", null, STATES[row.state] ?? row.state), row.readonly ? el("span", null, "read only") : null, row.internal ? el("span", null, "the broker's own") : null),
    el(
      "div.facts",
      null,
      group("Who gets it", [
        ["Subscribers", count(row.subscribers)],
        ["By its name", count(row.exactSubscribers)],
        ["By a query", count(row.subscribers - row.exactSubscribers)],
      ]),
      group("History", [
        ["Messages", link(at(["queues", "history", row.oid]), count(row.historyEntries)), `of ${count(row.maxHistoryEntries)}`],
        ["Bytes", bytes(row.historyBytes)],
        ["In memory", count(row.historyInMemory)],
      ]),
      group("Key", [
        ["Content", row.mime ? name(row.mime) : "–"],
        ["Domain", row.domain ? name(row.domain) : "–"],
        ["Owner", row.owner ? name(row.owner) : "everybody"],
      ]),
    ),
  ];
}
