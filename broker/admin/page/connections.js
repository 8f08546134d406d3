// Connections of clients.

import { at, el, link, name } from "./dom.js";
import { ago, clock } from "./format.js";
import { listPage } from "./listing.js";
import { sessionNamed } from "./sessions.js";

const STATES = [["loggedIn", "Logged in"], ["notLoggedIn", "Not logged in"]];

/** The session of a connection, if there is one. */
export function sessionLink(row) {
	if (!row.session) return el("span.muted", "–");
	return link(sessionNamed(row.session), name(row.session));
}

const CAUSES = {
	busy: "its requests are being served",
	queueFull: "a queue has no room",
	requestsWaiting: "too many of its requests wait",
	storeBehind: "the store is behind",
	unreadAnswers: "it does not read answers",
};

/** By what it is held back. */
export function heldCell({ heldBack }) {
	if (!heldBack) return "";
	const queue = heldBack.queue ? [" of ", name(heldBack.queue)] : [];
	return el("span.held", CAUSES[heldBack.cause] ?? heldBack.cause, ...queue, `, ${ago(heldBack.since)}`);
}

/** The address of a connection. */
function connectionAt(row) {
	return at(["connections", row.id]);
}

const COLUMNS = [
	{ title: "Peer", sort: "peer", cell: (row) => link(connectionAt(row), name(row.peer)) },
	{ title: "Session", cell: sessionLink },
	{ title: "Listener", width: 14, cell: (row) => row.listener },
	{ title: "Secured by", width: 34, cell: (row) => (row.tls ? `${row.tls.version}, ${row.tls.cipher}` : "nothing") },
	{ title: "Held back", width: 32, cell: heldCell },
	{ title: "Opened", sort: "openedAt", width: 24, isNumber: true, cell: (row) => clock(row.openedAt) },
];

export function show(place) {
	return listPage(place, {
		title: "Connections",
		label: "Connections",
		noun: ["connection"],
		path: "connections",
		columns: COLUMNS,
		sort: "-openedAt",
		idOf: (row) => row.id,
		open: connectionAt,
		filters: [
			{ name: "peer", label: "Address", holder: "Address, or 10.1.*" },
			{ name: "subject", label: "Login name" },
			{ name: "state", label: "Logged in or not", choices: STATES },
			{ name: "heldBack", label: "Held back or not", choices: Object.entries(CAUSES) },
		],
		empty: [
			el("p", "No connection matches."),
			el("p", "If clients should be there: is the broker at run level 9 (top of the page), and do they use the right port? ", el("code", "broker status"), " tells which are open."),
		],
	});
}
