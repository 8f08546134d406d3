// Changes of messages that wait: of those that are marked, or that match the filters, or of all.

import { ask, path, Refused } from "./api.js";
import { askForChange, changeButton, dangerButton, toast } from "./dialog.js";
import { el } from "./dom.js";
import { plural } from "./format.js";

const KINDS = [["callback", "a session"], ["subject", "a login name"], ["topic", "a topic, where they are published"]];
const PRIORITIES = [["", "stays"], ...Array.from("9876543210", (each) => [each, each])];

/** The buttons; `marked` has numbers of messages, `filters` gives those that are set. */
export function entryActions(relating, owner, { marked, filters, done }) {
	const address = path("queues", relating, owner);
	const what = el("span.muted");
	const node = el(
		"div.actions.of",
		what,
		changeButton("Move …", "operator", move),
		changeButton("Put at the end …", "operator", requeue),
		dangerButton("Delete …", "administrator", remove),
	);

	function select() {
		if (marked.size) return { seqs: [...marked] };
		return Object.keys(filters()).length ? filters() : { all: true };
	}

	function words() {
		if (marked.size) return plural(marked.size, "marked message");
		return Object.keys(filters()).length ? "messages that match" : "all messages";
	}

	const dry = (verb) => (told) => [el("b", plural(told.done, "message")), ` would be ${verb}`, told.skippedInFlight ? `; ${plural(told.skippedInFlight, "message")} on the way to the receiver would stay.` : "."];
	const outcome = (verb) => (told) => `${plural(told.done, "message")} ${verb}${told.skippedInFlight ? `, ${plural(told.skippedInFlight, "message")} on the way left` : ""}${told.failed ? `, ${plural(told.failed, "message")} could not be` : ""}`;

	function move() {
		askForChange({
			title: `Move ${words()} of ${owner}`,
			verb: "Move",
			says: ["They go behind what waits there, in their order; or as many as there is room for. Each is in one place, whatever crashes."],
			fields: [
				{ key: "relating", label: "To", choices: KINDS },
				{ key: "name", label: "Its name, such as joe/1, joe or news" },
				{ key: "upTo", label: "Where there is not enough room", choices: [["false", "nothing is moved"], ["true", "as many as fit are moved"]] },
			],
			make: ({ relating: kind, name, upTo }) => ({
				select: select(),
				to: kind === "topic" ? { topic: name } : { relating: kind, owner: kind === "callback" ? name.replace(/\/(?=[^/]*$)/, "~") : name },
				...(upTo === "true" ? { upTo: true } : {}),
			}),
			path: `${address}/entries/move`,
			dry: dry("moved"),
			outcome: outcome("moved"),
			done,
		});
	}

	function requeue() {
		askForChange({
			title: `Put ${words()} of ${owner} at the end`,
			verb: "Put at the end",
			says: ["The others are delivered first. That takes a message out of the way that its receiver cannot take."],
			fields: [{ key: "priority", label: "Priority", choices: PRIORITIES }],
			make: ({ priority }) => ({ select: select(), ...(priority ? { priority: Number(priority) } : {}) }),
			path: `${address}/entries/requeue`,
			dry: dry("put at the end"),
			outcome: outcome("put at the end"),
			done,
		});
	}

	async function remove() {
		let row;
		try {
			row = await ask(address);
		} catch (error) {
			if (!(error instanceof Refused)) throw error;
			toast(error.message);
			return;
		}
		askForChange({
			title: `Delete ${words()} of ${owner}`,
			verb: "Delete",
			isDanger: true,
			says: ["They do not reach the receiver. Where messages come or go meanwhile, nothing is done."],
			fields: [{ key: "to", label: "They", choices: [["dead", "become dead messages, and can be sent again"], ["nothing", "are lost"]] }],
			make: ({ to }) => ({ select: select(), to }),
			typed: owner,
			path: `${address}/entries/delete`,
			headers: { "If-Match": `"${row.revision}"` },
			dry: dry("deleted"),
			outcome: outcome("deleted"),
			done,
		});
	}

	return { node, follow: () => (what.textContent = `With ${words()}:`) };
}
