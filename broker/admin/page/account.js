// One account.

import { ROLES, roleCell } from "./accounts.js";
import { path } from "./api.js";
import { askForChange, changeButton, dangerButton } from "./dialog.js";
import { at, el, link, name } from "./dom.js";
import { ago, clock, count, plural } from "./format.js";
import { group, objectPage } from "./object.js";

export function show(place) {
	const owner = place.segments[1];
	const address = path("accounts", owner);
	let row = null;
	let look = null;
	const block = dangerButton("Block …", "administrator", () => setBlocked());

	function setRole() {
		askForChange({
			title: `Role of ${owner}`,
			verb: "Give it",
			says: ["It has now: ", roleCell(row), ". Another role holds from the next request on."],
			fields: [{ key: "role", label: "Role in administration", choices: ROLES }],
			method: "PATCH",
			path: address,
			outcome: (told) => `${owner} has the role ${told.role}`,
			done: () => look(),
		});
	}

	function setPassword() {
		askForChange({
			title: `Password of ${owner}`,
			verb: "Change it",
			says: ["Its clients must log in anew with it, and its logins and tokens of administration end."],
			fields: [{ key: "password", label: "New password", type: "password" }],
			method: "PATCH",
			path: address,
			command: `broker user passwd ${owner}`,
			outcome: () => `${owner} has another password`,
			done: () => look(),
		});
	}

	function setBlocked() {
		const isBlocked = Boolean(row.blockedAt);
		askForChange({
			title: isBlocked ? `Unblock ${owner}` : `Block ${owner}`,
			verb: isBlocked ? "Unblock" : "Block",
			isDanger: !isBlocked,
			says: [isBlocked ? "It may log in again." : ["Refuses every login of it until it is unblocked, also after a restart. It has ", plural(row.sessions, "session"), " now."]],
			method: "PATCH",
			path: address,
			body: { blocked: !isBlocked },
			outcome: () => (isBlocked ? `${owner} may log in` : `Logins of ${owner} are blocked`),
			done: () => look(),
		});
	}

	function remove() {
		askForChange({
			title: `Delete ${owner}`,
			verb: "Delete the account",
			isDanger: true,
			says: ["Whoever gets the name later begins with nothing, unless what it has is kept. It has ", plural(row.sessions, "session"), " now."],
			fields: [
				{ key: "sessions", label: "Its sessions", choices: [["end", "end"], ["keep", "are kept, and nobody can come back to them"]] },
				{ key: "documents", label: "Its rosters, vCards and other documents", choices: [["delete", "are deleted"], ["keep", "are kept"]] },
			],
			typed: owner,
			method: "DELETE",
			path: address,
			outcome: () => `There is no account ${owner} any more`,
			done: () => (location.hash = "#/accounts"),
		});
	}

	return objectPage({
		title: owner,
		trail: ["#/accounts", "Accounts"],
		path: address,
		seconds: 2,
		tell,
		gone: "There is no such account.",
		actions: (_, again) => {
			look = again;
			return [
				changeButton("Role …", "administrator", () => setRole()),
				changeButton("Password …", "administrator", () => setPassword()),
				block,
				dangerButton("Delete …", "administrator", () => remove()),
			];
		},
		follow: (told) => {
			row = told;
			block.textContent = row.blockedAt ? "Unblock …" : "Block …";
		},
	});
}

function tell(row) {
	return el(
		"div.facts",
		group("Administration", [["Role", roleCell(row)], ["Done by it", link(at(["audit"], { principal: row.name }), "audit")]]),
		group("Clients", [
			["Sessions", link(at(["sessions"], { subject: row.name }), count(row.sessions))],
			["Queue of the login name", link(at(["queues", "subject", row.name]), "messages")],
			["Logins", row.blockedAt ? el("span.warn", `blocked for ${ago(row.blockedAt)}`) : "permitted"],
		]),
		group("Account", [
			["Made", clock(row.createdAt)],
			["Password since", clock(row.passwordChangedAt)],
			["SCRAM", row.scram.join(", ") || "–"],
		]),
	);
}
