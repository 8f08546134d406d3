// Work that takes long: how far it is, and how to stop it.

import { ask, path } from "./api.js";
import { askForChange } from "./dialog.js";
import { el, name, visible } from "./dom.js";
import { clock, count, plural } from "./format.js";
import { plainPage, rowButton } from "./plain.js";

const TONES = { running: "accent", done: "good", stopped: "warn", failed: "bad" };

const COLUMNS = [
	{ title: "Began", cell: (row) => clock(row.startedAt) },
	{ title: "What", cell: (row) => visible(row.action) },
	{ title: "To what", cell: (row) => name(row.target) },
	{ title: "How far", cell: progress },
	{ title: "State", cell: (row) => [el(`span.${TONES[row.state] ?? "muted"}`, row.state), row.error ? el("small", " ", name(row.error)) : null] },
	{ title: "", cell: (row) => (row.state === "running" ? rowButton("Stop …", "stop", row.id, { role: "operator", isDanger: true, name: `${row.action} of ${visible(row.target)}` }) : "") },
];

function progress(row) {
	const left = [row.skippedInFlight ? `${count(row.skippedInFlight)} on their way` : "", row.failed ? `${count(row.failed)} could not be` : ""].filter(Boolean);
	return [
		row.state === "running" ? el("progress", { value: row.done, max: Math.max(1, row.total), "aria-label": `${visible(row.action)} of ${visible(row.target)}` }) : null,
		`${count(row.done)} of ${count(row.total)}`,
		left.length ? el("small", ` ${left.join(", ")}`) : null,
	];
}

function words(rows) {
	const running = rows.filter((row) => row.state === "running").length;
	return running ? `${count(running)} running` : rows.length ? "None is running." : "";
}

export function show() {
	let rows = [];
	const page = plainPage({
		title: "Operations",
		columns: COLUMNS,
		seconds: 1,
		read: async () => (rows = (await ask("operations", { automatic: true })).items),
		words,
		press: (_, id) => stop(rows.find((row) => row.id === id), page.look),
		empty: [el("p", "Nothing runs, and nothing has run since the broker began."), el("p", "To empty a large queue or to make a backup takes a while: then it is here, and can be stopped.")],
	});
	return page;
}

function stop(row, done) {
	askForChange({
		title: `Stop ${row.action} of ${row.target}`,
		verb: "Stop it",
		isDanger: true,
		says: ["It ends after what it is just doing. What it has done stays so: ", plural(row.done, "message"), " of ", count(row.total), " by now."],
		method: "DELETE",
		path: path("operations", row.id),
		outcome: (told) => `${told.action} stops after ${plural(told.done, "message")}`,
		done,
	});
}
