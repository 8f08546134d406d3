// One topic.

import { ask, path, Refused } from "./api.js";
import { at, el, link, name, put, renew, visible } from "./dom.js";
import { bytes, count } from "./format.js";
import { entriesPanel } from "./entries.js";
import { every } from "./live.js";
import { group } from "./session.js";

const STATES = { UNCONFIGURED: "nobody has published yet", ALIVE: "alive", UNREFERENCED: "is soon to go" };

/** The page. */
export function show(place) {
  const oid = place.segments[1];
  const content = el("div.details");
  const end = every(1, async () => {
    try {
      renew(content, tell(await ask(path("topics", oid), { automatic: true })));
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      put(content, el("div.empty", null, el("p", null, error.status === 404 ? "There is no such topic." : visible(error.message))));
    }
  });
  return {
    title: oid,
    node: el("div.object", null, el("p.trail", null, link("#/topics", "Topics")), el("h1", null, name(oid)), content, entriesPanel("history", oid)),
    stop: end,
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
