// Tokens: by which programs administer, each with its own end.

import { ROLES } from "./accounts.js";
import { ask, may, path, state as who } from "./api.js";
import { askForChange, changeButton, showOnce } from "./dialog.js";
import { el, name, visible } from "./dom.js";
import { ago, clock, plural, until } from "./format.js";
import { plainPage, rowButton } from "./plain.js";

const SECONDS = 5;
const SOON = 14 * 86_400_000; // milliseconds before its end from which a token is marked
const DAYS = [["90", "after 90 days"], ["30", "after 30 days"], ["1", "after a day"], ["365", "after a year"], ["never", "never"]];

function ends(row) {
	if (!row.expiresAt) return "never";
	const left = Date.parse(row.expiresAt) - Date.now();
	if (left <= 0) return el("span.bad", `expired ${clock(row.expiresAt)}`);
	return el(`span${left < SOON ? ".warn" : ""}`, `in ${until(row.expiresAt)}`);
}

const COLUMNS = [
	{ title: "Name", cell: (row) => name(row.name) },
	{ title: "Owner", cell: (row) => name(row.owner) },
	{ title: "Role", cell: (row) => row.role },
	{ title: "Made", cell: (row) => clock(row.createdAt) },
	{ title: "Ends", cell: ends },
	{ title: "Last used", cell: (row) => (row.lastUsedAt ? `${ago(row.lastUsedAt)} ago` : "never") },
	{ title: "", cell: (row) => rowButton("Delete …", "delete", row.id, { isDanger: true, name: visible(row.name) }) },
];

export function show() {
	let rows = [];
	const page = plainPage({
		title: "Tokens",
		columns: COLUMNS,
		seconds: SECONDS,
		read: async () => (rows = (await ask("tokens", { automatic: true })).items),
		words: () => (rows.length ? `${plural(rows.length, "token")}${may("administrator") ? " of everybody" : " of yours"}` : ""),
		actions: changeButton("New …", "monitoring", () => make(page.look)),
		press: (_, id) => remove(rows.find((row) => row.id === id), page.look),
		empty: [el("p", "There is no token."), el("p", "A program that watches or administers the broker needs one: make it here, and give it to the program as ", el("code", "BROKER_TOKEN"), ".")],
	});
	return page;
}

function make(done) {
	askForChange({
		title: "New token",
		verb: "Make it",
		says: ["Whoever has it may do what its role permits, in the name of ", name(who.user), ". Its text is shown once."],
		fields: [
			{ key: "name", label: "Name: what it is for" },
			{ key: "role", label: "Role that it has at most", choices: ROLES.slice(1).filter(([role]) => may(role)) },
			{ key: "days", label: "Ends", choices: DAYS },
		],
		make: ({ days, ...others }) => ({ ...others, days: days === "never" ? days : Number(days) }),
		path: "tokens",
		outcome: (told) => `There is a token ${told.name}`,
		done: (told) => {
			done();
			showOnce(`Token ${told.name}`, "Copy it now: it is not shown again, and the broker does not keep it.", told.token);
		},
	});
}

function remove(row, done) {
	askForChange({
		title: `Delete the token ${row.name}`,
		verb: "Delete it",
		isDanger: true,
		says: ["The program that has it is refused from now on. It was ", row.lastUsedAt ? `last used ${ago(row.lastUsedAt)} ago.` : "never used."],
		method: "DELETE",
		path: path("tokens", row.id),
		outcome: () => `The token ${row.name} is no more`,
		done,
	});
}
