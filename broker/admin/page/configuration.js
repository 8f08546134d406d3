// Properties and log levels, as they are and where they come from.

import { ask, path, Refused } from "./api.js";
import { askForChange, changeButton } from "./dialog.js";
import { at, el, name, PLAIN, say, visible } from "./dom.js";
import { plural, until } from "./format.js";
import { after, every } from "./live.js";
import { PlainTable } from "./plain.js";

const SECONDS = 10;
const EFFECTS = { now: "at once", newObjects: "for new sessions, topics and queues", listener: "when the listener opens anew", restart: "after a restart" };
const LEVELS = ["debug", "info", "warn", "error", "critical"].map((level) => [level, level]);
const TIMES = [["600", "for 10 minutes"], ["3600", "for an hour"], ["86400", "for a day"]];

const LEVEL_COLUMNS = [
	{ title: "Part", cell: (row) => row.namespace || "everything else" },
	{ title: "Level", cell: (row) => row.level },
	{ title: "Source", cell: (row) => visible(row.source) },
	{ title: "Until", cell: (row) => (row.until ? `in ${until(row.until)}` : "–") },
];
const COLUMNS = [
	{ title: "Name", cell: (row) => el("button.plain", { type: "button", title: visible(row.help), "data-what": "set", "data-id": row.name }, name(row.name)) },
	{ title: "Value", cell: (row) => [name(row.value), row.pending === undefined || row.pending === null ? null : el("small.warn", ` then ${visible(row.pending)}`)] },
	{ title: "Source", cell: (row) => visible(row.source) },
	{ title: "A change takes effect", cell: (row) => EFFECTS[row.change] ?? row.change },
];

export function show(place) {
	const levels = new PlainTable({ label: "Logging", columns: LEVEL_COLUMNS });
	const rows = new PlainTable({
		label: "Properties",
		columns: COLUMNS,
		press: (what, id) => setProperty(properties.find((each) => each.name === id), look),
		empty: el("p", "No property has this in its name."),
	});
	const state = el("p.subtitle", { role: "status" });
	const typed = after(200, () => {
		history.replaceState(null, "", at(place.segments, { ...place.query, q: search.value }));
		draw();
	});
	const search = el("input", { type: "search", "aria-label": "Name", placeholder: "Part of a name", ...PLAIN, input: typed });
	search.value = place.query.q ?? "";
	const changed = el("input", { type: "checkbox", change: () => draw() });
	let properties = [];

	async function look() {
		const [found, told] = [await ask("log-levels", { automatic: true }), await ask("properties", { automatic: true })];
		levels.show(found.items);
		properties = told.items;
		draw();
	}

	function draw() {
		const part = search.value.trim().toLowerCase();
		const shown = properties.filter((each) => each.name.toLowerCase().includes(part) && (!changed.checked || each.source !== "default"));
		say(state, `${plural(shown.length, "property", "properties")} of ${properties.length}`);
		rows.show(shown);
	}

	const end = every(SECONDS, look);
	return {
		title: "Configuration",
		node: el(
			"div.diagnose",
			el("div.heading", el("h1", "Configuration")),
			el("section", el("div.heading", el("h2", "Logging"), el("div.actions", changeButton("Change a level …", "operator", () => setLevel(look)))), levels.node),
			el("section.panel", el("div.heading", el("div", el("h2", "Properties"), state), el("label.tick", changed, "Only those that are set"), search), rows.node),
		),
		stop: end,
	};
}

function setLevel(done) {
	const fields = [
		{ key: "namespace", label: "Part, e.g. broker.core" },
		{ key: "level", label: "Level", choices: LEVELS },
		{ key: "forSeconds", label: "How long", choices: TIMES },
	];
	askForChange({
		title: "Change a level of the log",
		verb: "Change it",
		says: ["The configured level returns by itself."],
		fields,
		method: "PUT",
		path: ({ namespace }) => path("log-levels", namespace),
		make: ({ level: wanted, forSeconds }) => ({ level: wanted, forSeconds: Number(forSeconds) }),
		outcome: (told) => `${told.namespace}: ${told.level}`,
		done,
	});
}

async function setProperty(row, done) {
	const shown = await ask(path("properties", row.name)).catch((error) => {
		if (error instanceof Refused) return row;
		throw error;
	});
	askForChange({
		title: row.name,
		verb: "Set it",
		says: [
			el("p", visible(row.help)),
			el("p", "It is ", el("code", visible(shown.value || "(empty)")), ", by ", visible(shown.source), "; the default is ", el("code", visible(shown.default || "(empty)")), ". A change takes effect ", EFFECTS[row.change] ?? row.change, "."),
		],
		fields: [
			{ key: "value", label: "New value", isOptional: true },
			{ key: "keep", label: "After a restart", choices: [["false", "what the files say holds again"], ["true", "it holds, too"]] },
		],
		method: "PUT",
		role: "administrator",
		path: path("properties", row.name),
		outcome: () => `${row.name} was set`,
		done,
	});
}
