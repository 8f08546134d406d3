// Sessions.

import { at, el, link, name } from "./dom.js";
import { bytes, count, duration, percent, until } from "./format.js";
import { listPage } from "./listing.js";
import { codes, whyCell } from "./why.js";

const STATES = ["attached", "waiting", "detached", "placeholder", "ending"];
const KINDS = ["native", "xmpp", "plugin", "nodes"];

/** The address of a session. */
export function sessionAt(row) {
	return at(["sessions", row.subject, String(row.publicId)]);
}

/** The address of a session by its name, `joe/1`. */
export function sessionNamed(text) {
	const cut = text.lastIndexOf("/");
	return at(["sessions", text.slice(0, cut), text.slice(cut + 1)]);
}

/** The state with what comes of it. */
export function stateCell(row) {
	const ends = row.endsAt ? `, ends in ${until(row.endsAt)}` : "";
	return el(`span.state.${row.state}`, `${row.state}${row.state === "attached" ? "" : ends}`);
}

const COLUMNS = [
	{ title: "Name", sort: "name", cell: (row) => link(sessionAt(row), name(row.name)) },
	{ title: "Kind", width: 9, cell: (row) => row.kind },
	{ title: "State", width: 26, cell: stateCell },
	{ title: "Queue", sort: "queueEntries", width: 10, isNumber: true, cell: (row) => count(row.queue.entries) },
	{ title: "Full", sort: "fillRatio", width: 9, isNumber: true, cell: (row) => percent(row.queue.fillRatio) },
	{ title: "Why", width: 30, cell: (row) => whyCell(row.waiting) },
	{ title: "Bytes", sort: "queueBytes", width: 11, isNumber: true, isHidden: true, cell: (row) => bytes(row.queue.bytes) },
	{ title: "Updates", sort: "updates", width: 12, isNumber: true, cell: (row) => count(row.counters.update) },
	{ title: "Idle", sort: "idleSeconds", width: 13, isNumber: true, cell: (row) => duration(row.idleSeconds) },
	{ title: "Subscriptions", width: 14, isNumber: true, isHidden: true, cell: (row) => count(row.subscriptions) },
	{ title: "Resource", width: 20, isHidden: true, cell: (row) => (row.resource ? name(row.resource) : "") },
];

export function show(place) {
	return listPage(place, {
		title: "Sessions",
		label: "Sessions",
		noun: ["session"],
		path: "sessions",
		columns: COLUMNS,
		sort: "name",
		idOf: (row) => row.name ?? row.id,
		open: sessionAt,
		filters: [
			{ name: "q", label: "Name", holder: "Part of a name" },
			{ name: "kind", label: "All kinds", choices: KINDS },
			{ name: "state", label: "All states", choices: STATES },
			{ name: "waitingCode", label: "Waiting or not", choices: codes() },
		],
		empty: [
			el("p", "No session matches."),
			el("p", "A session is there as long as a client is logged in, or has asked to be waited for. Take a filter away, or look whether clients reach the broker: ", link("#/connections", "connections"), "."),
		],
	});
}
