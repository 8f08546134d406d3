// One topic.

import { topicActions } from "./actions.js";
import { path } from "./api.js";
import { at, el, link, name } from "./dom.js";
import { entriesPanel } from "./entries.js";
import { bytes, count } from "./format.js";
import { group, objectPage } from "./object.js";
import { receivers } from "./subscriptions.js";

const STATES = { UNCONFIGURED: "nobody has published yet", ALIVE: "alive", UNREFERENCED: "is soon to go" };

export function show(place) {
	const oid = place.segments[1];
	const table = receivers(`${path("topics", oid)}/receivers`);
	return objectPage({
		title: oid,
		trail: ["#/topics", "Topics"],
		path: path("topics", oid),
		tell,
		gone: "There is no such topic.",
		actions: topicActions,
		below: [el("section.panel", el("h2", "Receivers"), el("div.short", table.node)), entriesPanel("history", oid)],
		stop: () => table.stop(),
	});
}

function tell(row) {
	return [
		el("p.lead", el("span", STATES[row.state] ?? row.state), row.readonly ? el("span", "read only") : null, row.internal ? el("span", "the broker's own") : null),
		el(
			"div.facts",
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
