// Backups: made and verified while the broker runs.

import { ask, path } from "./api.js";
import { askForChange, changeButton } from "./dialog.js";
import { el, name } from "./dom.js";
import { ago, bytes, clock, count } from "./format.js";
import { plainPage, rowButton } from "./plain.js";

const SECONDS = 3;

const COLUMNS = [
	{ title: "Made", cell: (row) => (row.madeAt ? [clock(row.madeAt), el("small", ` ${ago(row.madeAt)} ago`)] : "") },
	{ title: "File", cell: (row) => name(row.id) },
	{ title: "Size", isNumber: true, cell: (row) => bytes(row.sizeBytes) },
	{ title: "What is in it", cell: (row) => (row.error ? el("span.bad", name(row.error)) : `${count(row.counts?.accounts)} accounts, ${count(row.counts?.topics)} topics, ${count(row.counts?.sessions)} sessions, ${count(row.counts?.entries)} messages`) },
	{ title: "", cell: (row) => rowButton("Verify …", "verify", row.id, { role: "administrator", name: row.id }) },
];

const begun = () => (location.hash = "#/operations");

export function show() {
	return plainPage({
		title: "Backups",
		columns: COLUMNS,
		seconds: SECONDS,
		read: async () => (await ask("backups", { automatic: true })).items,
		words: (rows) => (rows.length ? "Each was verified when it was made." : ""),
		actions: changeButton("Back up now …", "administrator", () => change("Make a backup", "Make it", "A copy of the database, verified; the broker goes on meanwhile. Of old ones the oldest go.", "backups")),
		press: (_, id) => change(`Verify ${id}`, "Verify it", "Rehearses its restore; nothing stays of that.", path("backups", id, "verify")),
		empty: [el("p", "There is no backup."), el("p", "Make one here, or have the broker make one each day: ", el("code", "backup.schedule=03:15"), ".")],
	});
}

function change(title, verb, says, address) {
	askForChange({ title, verb, says: el("p", says), path: address, outcome: () => "It has begun", done: begun });
}
