// Topics.

import { at, el, link, name } from "./dom.js";
import { bytes, count } from "./format.js";
import { listPage } from "./listing.js";

/** The address of a topic. */
export function topicAt(row) {
	return at(["topics", row.oid]);
}

const COLUMNS = [
	{ title: "Name", sort: "oid", cell: (row) => link(topicAt(row), name(row.oid)) },
	{ title: "State", width: 16, cell: (row) => row.state.toLowerCase() },
	{ title: "Subscribers", sort: "subscribers", width: 13, isNumber: true, cell: (row) => count(row.subscribers) },
	{ title: "History", sort: "historyEntries", width: 11, isNumber: true, cell: (row) => count(row.historyEntries) },
	{ title: "Bytes", sort: "historyBytes", width: 12, isNumber: true, cell: (row) => bytes(row.historyBytes) },
	{ title: "Content", width: 20, cell: (row) => (row.mime ? name(row.mime) : "") },
	{ title: "Domain", width: 16, cell: (row) => (row.domain ? name(row.domain) : "") },
];

export function show(place) {
	return listPage(place, {
		title: "Topics",
		label: "Topics",
		noun: ["topic"],
		path: "topics",
		columns: COLUMNS,
		sort: "oid",
		idOf: (row) => row.oid ?? row.id,
		open: topicAt,
		filters: [
			{ name: "q", label: "Name", holder: "Part of a name" },
			{ name: "state", label: "All states", choices: [["ALIVE", "alive"], ["UNCONFIGURED", "unconfigured"], ["UNREFERENCED", "unreferenced"]] },
			{ name: "minSubscribers", label: "With or without subscribers", choices: [["1", "With subscribers"]] },
		],
		empty: [
			el("p", "No topic matches."),
			el("p", "Whoever publishes makes one: ", el("code", "broker publish news hello"), "."),
		],
	});
}
