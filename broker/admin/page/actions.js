// What can be done to sessions, login names and connections.

import { path } from "./api.js";
import { askForChange, changeButton, dangerButton } from "./dialog.js";
import { at, el, name } from "./dom.js";
import { count, plural } from "./format.js";
import { tailOf } from "./tail.js";

function way(words, address) {
	return el("button", { type: "button", click: () => (location.hash = address()) }, words);
}

/** The buttons of a session; `read` gives its row as it is now, `renew` fetches it. */
export function sessionActions(read, renew) {
	const hold = changeButton("Hold deliveries", "operator", () => deliveries(read(), renew));
	const nodes = [
		way("Tail", () => tailOf("session", read().name)),
		changeButton("Disconnect", "operator", () => disconnect(read(), renew)),
		hold,
		dangerButton("End …", "operator", () => end(read(), renew)),
		dangerButton("Block login …", "administrator", () => block(read(), renew)),
	];
	return { nodes, follow: (row) => (hold.textContent = row.active ? "Hold deliveries" : "Deliver again") };
}

function disconnect(row, done) {
	askForChange({
		title: `Disconnect ${row.name}`,
		verb: "Disconnect",
		says: ["Closes the connection of ", name(row.name), ". The session waits with its ", plural(row.queue.entries, "message"), ", and its client may come back at once: to keep it out, block its login."],
		path: path("sessions", row.subject, row.publicId, "disconnect"),
		outcome: () => `${row.name} was disconnected`,
		done,
	});
}

function deliveries(row, done) {
	askForChange({
		title: row.active ? `Hold deliveries to ${row.name}` : `Deliver to ${row.name} again`,
		verb: row.active ? "Hold" : "Deliver",
		says: [row.active ? "Its messages wait until deliveries go on; nothing is lost, as long as its queue has room: it holds " : "Its messages are delivered from now on: ", `${count(row.queue.entries)} of ${count(row.queue.maxEntries)}.`],
		path: path("sessions", row.subject, row.publicId, "deliveries"),
		body: { active: !row.active },
		outcome: () => (row.active ? `Deliveries to ${row.name} are held` : `${row.name} is delivered to`),
		done,
	});
}

function end(row, done) {
	const entries = row.queue.entries;
	askForChange({
		title: `End ${row.name}`,
		verb: "End the session",
		isDanger: true,
		says: ["Ends the session with its ", plural(row.subscriptions, "subscription"), entries ? [" and takes ", el("b", plural(entries, "message")), " from its queue."] : ". Its queue is empty."],
		fields: [
			{
				key: "queue",
				label: "What waits in its queue",
				choices: [
					["subject", "waits for another session of this login name; the rest becomes dead messages"],
					["dead", "becomes dead messages"],
					["discard", "is lost"],
				],
			},
		],
		typed: entries ? row.name : undefined,
		path: path("sessions", row.subject, row.publicId, "end"),
		outcome: (told) => `${row.name} has ended, with ${plural(told.entries, "message")}`,
		done,
	});
}

function block(row, done) {
	askForChange({
		title: `Block logins of ${row.subject}`,
		verb: "Block",
		isDanger: true,
		says: ["Refuses every login of ", name(row.subject), " until it is unblocked, also after a restart. Its sessions and messages stay."],
		fields: [{ key: "disconnect", label: "Connections that it has", choices: [["true", "are closed"], ["false", "stay"]] }],
		path: path("subjects", row.subject, "block"),
		outcome: (told) => `Logins of ${row.subject} are blocked; ${plural(told.disconnected, "connection")} closed`,
		done,
	});
}

/** The buttons of a topic. */
export function topicActions(read, done) {
	return [
		way("Tail", () => tailOf("topic", read().oid)),
		way("Explain", () => at(["explain"], { topic: read().oid })),
		dangerButton("Clear history …", "administrator", () => clearHistory(read(), done)),
		dangerButton("Erase …", "administrator", () => erase(read())),
	];
}

function clearHistory(row, done) {
	askForChange({
		title: `Clear the history of ${row.oid}`,
		verb: "Clear it",
		isDanger: true,
		says: ["Forgets the ", el("b", plural(row.historyEntries, "message")), " that are kept of the topic. What waits in queues of sessions stays."],
		typed: row.historyEntries ? row.oid : undefined,
		path: path("topics", row.oid, "history", "clear"),
		outcome: (told) => `${plural(told.entries, "message")} of ${row.oid} are forgotten`,
		done,
	});
}

function erase(row) {
	askForChange({
		title: `Erase ${row.oid}`,
		verb: "Erase the topic",
		isDanger: true,
		says: ["Ends the topic with ", el("b", plural(row.historyEntries, "message")), " and its ", plural(row.subscribers, "subscription"), ". Who subscribed is told. Whoever publishes on it later makes it anew."],
		fields: [{ key: "forceDestroy", label: "What waits for receivers", choices: [["false", "is delivered before it ends"], ["true", "is lost"]] }],
		typed: row.oid,
		method: "DELETE",
		path: path("topics", row.oid),
		outcome: (told) => `${row.oid} is erased, with ${plural(told.entries, "message")}`,
		done: () => (location.hash = "#/topics"),
	});
}

/** The button that empties a queue. */
export function queueActions(read) {
	return [
		dangerButton("Purge …", "administrator", () => {
			const row = read();
			askForChange({
				title: `Purge the queue of ${row.owner}`,
				verb: "Purge it",
				isDanger: true,
				says: ["All ", el("b", plural(row.entries, "message")), " that wait in it are lost, but those that are on their way."],
				typed: row.owner,
				path: path("queues", row.relating, row.owner, "entries", "purge"),
				body: { confirm: row.owner },
				outcome: () => `The queue of ${row.owner} is being emptied`,
			});
		}),
	];
}

/** The buttons of a connection. */
export function connectionActions(read, done) {
	return [
		changeButton("Close …", "operator", () => {
			const row = read();
			askForChange({
				title: `Close the connection of ${row.peer}`,
				verb: "Close",
				isDanger: true,
				says: ["Closes the connection", row.session ? [" of ", name(row.session)] : "", ". A session stays, and its client may come back at once."],
				method: "DELETE",
				path: path("connections", row.id),
				outcome: () => `The connection of ${row.peer} was closed`,
				done,
			});
		}),
	];
}
