// Messages that could not be delivered, and how they get to their receivers after all.

import { ask, Refused } from "./api.js";
import { askForChange, changeButton, toast } from "./dialog.js";
import { at, el, link, name, visible } from "./dom.js";
import { bytes, clock, count, plural, shortName } from "./format.js";
import { listPage } from "./listing.js";

const SECONDS = 10;
const REASONS = 3; // that are told, of messages that would stay dead
const GROUPS = [
	["overflow", "queue was full"],
	["receiverGone", "receiver has gone"],
	["refusedByClient", "client refused it"],
	["filter", "filter failed"],
	["budget", "too much work"],
	["internal", "fault of the broker"],
];
const SELECTING = ["q", "oid", "receiver", "sender", "reasonGroup"];

/** The address of a dead message. */
function deadAt(row) {
	return at(["dead", row.id]);
}

const COLUMNS = [
	{ title: "Died", width: 22, cell: (row) => link(deadAt(row), clock(row.diedAt)) },
	{ title: "Receiver", width: 18, cell: (row) => name(shortName(row.receiver)) },
	{ title: "Topic", width: 18, cell: (row) => (row.oid ? name(row.oid) : "") },
	{ title: "Reason", cell: (row) => name(`${row.reason.code}: ${row.reason.text ?? ""}`) },
	{ title: "Sent again", width: 12, isNumber: true, cell: (row) => count(row.replays ?? 0) },
	{ title: "Kept", width: 14, cell: (row) => (row.volatile ? "header only" : "yes") },
	{ title: "Sender", width: 24, isHidden: true, cell: (row) => name(shortName(row.sender)) },
	{ title: "Size", width: 11, isNumber: true, isHidden: true, cell: (row) => bytes(row.sizeBytes) },
];

/** Ask before dead messages are sent again; the numbers are those of a dry run. */
export async function replay(select, words, done) {
	let dry;
	try {
		dry = await ask("dead-messages/replay", { method: "POST", body: { select, to: "receiver", dryRun: true } });
	} catch (error) {
		if (!(error instanceof Refused)) throw error;
		toast(visible(error.message));
		return;
	}
	const stays = (dry.failed ?? 0) + (dry.replayedTooOften ?? 0);
	askForChange({
		title: `Send ${words} again`,
		verb: "Send again",
		says: [
			el("p", el("b", plural(dry.done, "message")), " would get to their receivers and be dead no more", stays ? `; ${plural(stays, "message")} would stay.` : "."),
			dry.stays?.length ? el("ul.stays", [...new Set(dry.stays.map((each) => each.reason))].slice(0, REASONS).map((reason) => el("li", name(reason)))) : null,
			dry.replayedTooOften ? el("p", `${plural(dry.replayedTooOften, "message")} died again too often (deadMessage.maxReplays).`) : null,
		],
		fields: [{ key: "to", label: "To", choices: [["receiver", "those who did not get them"], ["topic", "the topics that they were published on"]] }],
		path: "dead-messages/replay",
		body: { select },
		outcome: (told) => `${plural(told.done, "message")} sent again${told.failed ? `, ${plural(told.failed, "message")} stay` : ""}`,
		done,
	});
}

export function show(place) {
	function selected() {
		const select = Object.fromEntries(SELECTING.filter((key) => place.query[key]).map((key) => [key, place.query[key]]));
		return Object.keys(select).length ? select : { all: true };
	}

	return listPage(place, {
		title: "Dead messages",
		label: "Dead messages",
		noun: ["message"],
		path: "dead-messages",
		parameters: { contentBytes: "0" },
		columns: COLUMNS,
		seconds: SECONDS,
		idOf: (row) => row.id,
		open: deadAt,
		actions: changeButton("Send these again …", "operator", () => {
			const select = selected();
			replay(select, select.all ? "all dead messages" : "these messages", () => dispatchEvent(new HashChangeEvent("hashchange")));
		}),
		filters: [
			{ name: "receiver", label: "Receiver", holder: "Receiver: *joe*" },
			{ name: "oid", label: "Topic" },
			{ name: "reasonGroup", label: "Whatever reason", choices: GROUPS },
			{ name: "q", label: "Part of anything" },
		],
		empty: el("p", "No dead message matches. A message dies when its queue is full, its receiver has gone for good, or its client refuses it."),
	});
}
