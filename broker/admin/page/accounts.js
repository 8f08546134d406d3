// Accounts: who may log in, and who may administer.

import { path } from "./api.js";
import { askForChange, changeButton } from "./dialog.js";
import { at, el, link, name } from "./dom.js";
import { ago, clock, count } from "./format.js";
import { listPage } from "./listing.js";

/** The roles that an account may have. */
export const ROLES = [["none", "none"], ["monitoring", "monitoring: sees everything but contents"], ["operator", "operator: keeps messages flowing"], ["administrator", "administrator: everything"]];

/** The address of an account. */
function accountAt(row) {
	return at(["accounts", row.name]);
}

/** What an account may do in administration, and what says so. */
export function roleCell(row) {
	if (row.role === "none") return el("span.muted", "none");
	return row.roleFrom && row.roleFrom !== "account" ? `${row.role}, by ${row.roleFrom}` : row.role;
}

const COLUMNS = [
	{ title: "Name", sort: "name", cell: (row) => link(accountAt(row), name(row.name)) },
	{ title: "Role", width: 32, cell: roleCell },
	{ title: "Sessions", width: 11, isNumber: true, cell: (row) => count(row.sessions) },
	{ title: "Logins", width: 24, cell: (row) => (row.blockedAt ? el("span.warn", `blocked for ${ago(row.blockedAt)}`) : "permitted") },
	{ title: "Password since", width: 24, isNumber: true, cell: (row) => clock(row.passwordChangedAt) },
];

function add() {
	askForChange({
		title: "New account",
		verb: "Make it",
		says: ["Whoever has its name and password may connect, publish and subscribe; a role in administration is something else."],
		fields: [
			{ key: "name", label: "Login name" },
			{ key: "password", label: "Password", type: "password" },
			{ key: "role", label: "Role in administration", choices: ROLES },
		],
		path: path("accounts"),
		command: "broker user add NAME",
		outcome: (told) => `There is an account ${told.name}`,
		done: (told) => (location.hash = accountAt(told)),
	});
}

export function show(place) {
	return listPage(place, {
		title: "Accounts",
		label: "Accounts",
		noun: ["account"],
		path: "accounts",
		columns: COLUMNS,
		sort: "name",
		idOf: (row) => row.name ?? row.id,
		open: accountAt,
		actions: changeButton("New …", "administrator", add),
		filters: [
			{ name: "q", label: "Name", holder: "Part of a name" },
			{ name: "role", label: "Whatever role", choices: ROLES.map(([value]) => [value, value === "none" ? "No role" : value]) },
			{ name: "blocked", label: "Blocked or not", choices: [["true", "Blocked"], ["false", "Not blocked"]] },
		],
		empty: el("p", "No account matches. Each is made here, or by ", el("code", "broker user add NAME"), "."),
	});
}
