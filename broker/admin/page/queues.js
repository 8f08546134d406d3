// Queues: of sessions, of login names, and the histories of topics.

import { at, el, link, name } from "./dom.js";
import { ago, bytes, count, percent } from "./format.js";
import { listPage } from "./listing.js";
import { codes, whyCell } from "./why.js";

const RELATING = [["callback", "Of sessions"], ["subject", "Of login names"], ["history", "Histories of topics"]];

/** The address of a queue. */
function queueAt(row) {
	return at(["queues", row.relating, row.owner]);
}

const COLUMNS = [
	{ title: "Owner", sort: "owner", cell: (row) => link(queueAt(row), name(row.owner)) },
	{ title: "Relating", width: 11, cell: (row) => row.relating },
	{ title: "Messages", sort: "entries", width: 12, isNumber: true, cell: (row) => count(row.entries) },
	{ title: "Bytes", sort: "bytes", width: 12, isNumber: true, cell: (row) => bytes(row.bytes) },
	{ title: "Full", sort: "fillRatio", width: 9, isNumber: true, cell: (row) => percent(row.fillRatio) },
	{ title: "Oldest", width: 13, isNumber: true, cell: (row) => ago(row.oldestAt) },
	{ title: "On disk only", width: 13, isNumber: true, isHidden: true, cell: (row) => count(row.onDisk) },
	{ title: "Why", width: 34, cell: (row) => whyCell(row.waiting) },
];

export function show(place) {
	return listPage(place, {
		title: "Queues",
		label: "Queues",
		noun: ["queue"],
		path: "queues",
		columns: COLUMNS,
		sort: "-entries",
		idOf: (row) => row.id ?? `${row.relating}/${row.owner}`,
		open: queueAt,
		filters: [
			{ name: "q", label: "Owner", holder: "Part of an owner's name" },
			{ name: "relating", label: "All queues", choices: RELATING },
			{ name: "minEntries", label: "Empty ones, too", choices: [["1", "With messages"], ["100", "With 100 and more"]] },
			{ name: "minFillRatio", label: "However full", choices: [["0.5", "Half full"], ["0.9", "90 % full"]] },
			{ name: "waitingCode", label: "Waiting or not", choices: codes() },
		],
		empty: el("p", "No queue matches. Each session, each login name and each topic has one; take a filter away to see them."),
	});
}
