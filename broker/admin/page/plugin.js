// One plugin.

import { path } from "./api.js";
import { el, name, visible } from "./dom.js";
import { group, objectPage } from "./object.js";
import { portsOf } from "./runlevel.js";

export function show(place) {
	const id = place.segments[1];
	return objectPage({ title: id, trail: ["#/run-level", "Run level"], path: path("plugins", id), seconds: 2, tell, gone: "There is no such plugin." });
}

function tell(row) {
	const attributes = Object.entries(row.attributes);
	return el(
		"div.facts",
		group("Plugin", [
			["State", el(`span${row.state === "running" ? ".good" : ""}`, row.state)],
			["Started at run level", row.startLevel ?? "none"],
			["Stopped at run level", row.stopLevel ?? "none"],
			["Where its start fails", row.onFail === undefined ? "the broker goes on" : `the broker ends: ${visible(row.onFail)}`],
			["Listens on", visible(portsOf(row)) || "nothing"],
			["Class", name(row.className)],
		]),
		group("Attributes", attributes.length ? attributes.map(([key, value]) => [name(key), name(value)]) : [["None", ""]]),
	);
}
