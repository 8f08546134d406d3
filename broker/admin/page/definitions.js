// Definitions: accounts, topics and the like as one document, written down, and read in after a dry run.

import { ask, change, Refused, Unreachable } from "./api.js";
import { askForChange, changeButton, dangerButton } from "./dialog.js";
import { el, name, put, say, visible } from "./dom.js";
import { count } from "./format.js";
import { PlainTable } from "./plain.js";

const MODES = [["merge", "Add and change"], ["replace", "Add, change, and delete what the document lacks"]];
const TONES = { create: "good", change: "accent", delete: "bad", conflict: "bad" };

const COLUMNS = [
	{ title: "What", cell: (row) => el(`b.${TONES[row.action] ?? "muted"}`, row.action) },
	{ title: "Section", cell: (row) => row.kind },
	{ title: "Name", cell: (row) => name(row.name) },
	{ title: "Difference", cell: (row) => (row.reason ? name(row.reason) : difference(row)) },
];

function difference({ before = {}, after = {}, action }) {
	if (action !== "change") return "";
	const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter((key) => JSON.stringify(before[key]) !== JSON.stringify(after[key]));
	return keys.map((key) => el("span.difference", visible(key), ": ", el("del", visible(JSON.stringify(before[key]) ?? "–", 100)), " ", el("ins", visible(JSON.stringify(after[key]) ?? "–", 100))));
}

/** Have the browser save something as a file. */
export function save(content, file) {
	const address = URL.createObjectURL(new Blob([content]));
	el("a", { href: address, download: file }).click();
	setTimeout(() => URL.revokeObjectURL(address), 1000);
}

export function show() {
	const state = el("p", { role: "status" });
	const file = el("input", { type: "file", accept: "application/json,.json", "aria-label": "Document", change: rehearse });
	const mode = el("select", { "aria-label": "How", change: rehearse }, MODES.map(([value, words]) => new Option(words, value)));
	const apply = dangerButton("Apply …", "administrator", () => ready?.());
	const table = new PlainTable({ label: "Differences", columns: COLUMNS, empty: el("p", "Choose a document, and see what it would change. Nothing is done before you apply it.") });
	let ready = null;
	apply.hidden = true;
	table.show([]);

	async function write(verifiers) {
		say(state, "Writing …");
		try {
			const told = await ask(`definitions?pretty=lines${verifiers ? "&verifiers=true" : ""}`);
			save(JSON.stringify(told, null, 1), `${told.node}-definitions.json`);
			say(state, "Written.");
		} catch (error) {
			failed(error);
		}
	}

	function failed(error) {
		if (!(error instanceof Refused || error instanceof Unreachable || error instanceof SyntaxError)) throw error;
		put(state, el("span.bad", visible(error instanceof SyntaxError ? `It is not JSON: ${error.message}` : error.problem?.errors?.map((each) => `${each.pointer}: ${each.detail}`).join("; ") || error.message, 1000)));
	}

	async function rehearse() {
		ready = null;
		apply.hidden = true;
		table.show([]);
		if (!file.files.length) return;
		try {
			const document = JSON.parse(await file.files[0].text());
			const told = await change(`definitions?mode=${mode.value}&dryRun=true`, "POST", document);
			const changes = told.changes.filter((each) => each.action !== "unchanged");
			const words = Object.entries(told.counts).filter(([, value]) => value).map(([action, value]) => `${count(value)} ${action}`).join(", ");
			table.show(changes.slice(0, 1000));
			say(state, `${words || "Nothing is in it"}${changes.length > 1000 ? "; the first 1000 are shown" : ""}.${told.counts.conflict ? " With a conflict nothing can be applied." : changes.length ? "" : " Nothing would change."}`);
			if (told.counts.conflict || !changes.length) return;
			ready = () => confirm(document, words, changes.length);
			apply.hidden = false;
		} catch (error) {
			failed(error);
		}
	}

	function confirm(document, words, number) {
		askForChange({
			title: `Apply ${file.files[0].name}`,
			verb: "Apply it",
			isDanger: true,
			says: [el("b", words), ". All of it in one commit, or nothing."],
			typed: String(number),
			path: `definitions?mode=${mode.value}`,
			body: document,
			command: `broker definitions import ${file.files[0].name} --mode ${mode.value}`,
			outcome: (told) => (told.applied ? "The definitions are applied" : "Nothing was done"),
			done: rehearse,
		});
	}

	return {
		title: "Definitions",
		node: el(
			"div",
			el("div.heading", el("h1", "Definitions"), el("div.actions", changeButton("Export", "administrator", () => write(false)), changeButton("Export with password verifiers", "administrator", () => write(true)))),
			el("div.heading", el("div.filters", file, mode), apply),
			state,
			table.node,
		),
	};
}
