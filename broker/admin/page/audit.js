// What was done, by whom, and how it went.

import { el, name, visible } from "./dom.js";
import { clock } from "./format.js";
import { listPage } from "./listing.js";

const HOURS = [1, 24, 24 * 7];
const BAD = new Set(["failed", "refused"]);

function since(hours) {
	const when = new Date(Date.now() - hours * 3600 * 1000);
	when.setSeconds(0, 0);
	return when.toISOString();
}

const COLUMNS = [
	{ title: "When", width: 22, cell: (row) => clock(row.at) },
	{ title: "Who", width: 13, cell: (row) => name(row.principal) },
	{ title: "What", width: 19, cell: (row) => visible(row.action) },
	{ title: "To what", cell: (row) => (row.target ? name(row.target) : "") },
	{ title: "Outcome", width: 15, cell: (row) => el(`span${BAD.has(row.outcome) ? ".bad" : ""}`, row.code ? `${row.outcome}: ${visible(row.code)}` : row.outcome) },
	{ title: "With", width: 16, cell: (row) => (row.parameters ? name(row.parameters) : "") },
	{ title: "Why", width: 16, cell: (row) => (row.reason ? name(row.reason) : "") },
	{ title: "Over", width: 14, isHidden: true, cell: (row) => visible(row.via) },
	{ title: "From", width: 22, isHidden: true, cell: (row) => (row.peer ? name(row.peer) : "") },
	{ title: "Request", width: 18, isHidden: true, cell: (row) => row.request ?? "" },
];

export function show(place) {
	return listPage(place, {
		title: "Audit",
		label: "What was done",
		noun: ["entry", "entries"],
		path: "audit",
		columns: COLUMNS,
		idOf: (row) => row.id,
		filters: [
			{ name: "principal", label: "Who" },
			{ name: "action", label: "What", holder: "What: session.end" },
			{ name: "target", label: "To what", holder: "To what: joe/1" },
			{ name: "since", label: "Whenever", choices: HOURS.map((hours) => [since(hours), hours === 1 ? "In the last hour" : hours === 24 ? "In the last day" : "In the last week"]) },
		],
		empty: el("p", "Nothing was done, or nothing matches. Each change that administration makes, and each content that is read, is one row here."),
	});
}
