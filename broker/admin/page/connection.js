// One connection.

import { connectionActions } from "./actions.js";
import { path } from "./api.js";
import { heldCell, sessionLink } from "./connections.js";
import { el, name, put, visible } from "./dom.js";
import { ago, clock } from "./format.js";
import { group, objectPage } from "./object.js";

export function show(place) {
	const id = place.segments[1];
	const heading = el("h1", `Connection ${visible(id)}`);
	return objectPage({
		title: `Connection ${id}`,
		heading,
		trail: ["#/connections", "Connections"],
		path: path("connections", id),
		tell,
		gone: "This connection is closed.",
		actions: (read) => connectionActions(read, () => (location.hash = "#/connections")),
		follow: (row) => heading.textContent === visible(row.peer) || put(heading, name(row.peer)),
	});
}

function tell(row) {
	return el(
		"div.facts",
		group("Client", [
			["Session", sessionLink(row)],
			["State", row.state === "loggedIn" ? "logged in" : "not logged in"],
			["Held back", row.heldBack ? heldCell(row) : "no"],
		]),
		group("Connection", [
			["Listener", row.listener],
			["Opened", clock(row.openedAt), `${ago(row.openedAt)} ago`],
			["Secured by", row.tls ? row.tls.version : "nothing", row.tls?.cipher],
			...(row.tls ? [["Client certificate", row.tls.clientCertificate ? "yes" : "no"]] : []),
		]),
	);
}
