// Subscriptions, and who gets what is published on a topic.

import { el, link, name, visible } from "./dom.js";
import { clock, count } from "./format.js";
import { listPage } from "./listing.js";
import { sessionNamed } from "./sessions.js";
import { Table } from "./table.js";

const KINDS = [["EXACT", "by the name of a topic"], ["XPATH", "by a query of keys"], ["DOMAIN", "by a domain"]];

function filtersOf(row) {
	return (row.filters ?? []).map((each) => (typeof each === "string" ? each : `${each.type ?? ""}: ${each.query ?? each.text ?? ""}`)).join("; ");
}

const COLUMNS = [
	{ title: "Session", sort: "session", width: 26, cell: (row) => link(sessionNamed(row.session), name(row.session)) },
	{ title: "Selects", width: 12, cell: (row) => row.kind.toLowerCase() },
	{ title: "Topic or query", sort: "query", cell: (row) => name(row.query) },
	{ title: "Filters", width: 26, cell: (row) => name(filtersOf(row)) },
	{ title: "Topics", sort: "topics", width: 10, isNumber: true, cell: (row) => count(row.topics) },
	{ title: "After a crash", width: 14, cell: (row) => (row.persistent ? "is there" : "is gone") },
	{ title: "Made", sort: "createdAt", width: 22, isNumber: true, cell: (row) => clock(row.createdAt) },
];

export function show(place) {
	return listPage(place, {
		title: "Subscriptions",
		label: "Subscriptions",
		noun: ["subscription"],
		path: "subscriptions",
		columns: COLUMNS,
		sort: "session",
		idOf: (row) => row.id,
		open: (row) => sessionNamed(row.session),
		filters: [
			{ name: "session", label: "Session", holder: "Session: joe/*" },
			{ name: "query", label: "Topic or query" },
			{ name: "kind", label: "Whatever way", choices: KINDS },
		],
		empty: el("p", "No subscription matches. A client that wants messages makes one: ", el("code", "broker subscribe news"), "."),
	});
}

/** The table of those who get what is published on a topic, and of those who do not, and why. */
export function receivers(path) {
	return new Table({
		label: "Receivers",
		noun: ["subscription"],
		path,
		parameters: {},
		sort: "session",
		seconds: 5,
		columns: [
			{ title: "Session", width: 26, cell: (row) => link(sessionNamed(row.session), name(row.session)) },
			{ title: "Selects", width: 12, cell: (row) => row.kind.toLowerCase() },
			{ title: "By", cell: (row) => name(row.query) },
			{
				title: "Gets it",
				width: 46,
				cell: (row) => (row.delivers ? el("span.good", row.filters?.length ? "what its filters let pass" : "yes") : el("span.warn", `no: ${visible(row.detail ?? row.check)}`)),
			},
		],
		idOf: (row) => row.subscription ?? row.id,
		open: (row) => sessionNamed(row.session),
		go: () => undefined,
		empty: el("p", "Nobody has subscribed to it."),
	});
}
