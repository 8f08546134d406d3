// One dead message.

import { ask, path, Refused } from "./api.js";
import { replay } from "./dead.js";
import { askForChange, changeButton, dangerButton } from "./dialog.js";
import { at, el, link, name, put, visible } from "./dom.js";
import { contentOf } from "./entries.js";
import { bytes, clock, count, shortName } from "./format.js";
import { group, objectPage } from "./object.js";

export function show(place) {
	const id = place.segments[1];
	const address = path("dead-messages", id);
	const below = el("div.message", { hidden: true });
	const away = () => (location.hash = "#/dead");

	async function read() {
		try {
			put(below, contentOf(await ask(`${address}?contentBytes=65536`)));
		} catch (error) {
			if (!(error instanceof Refused)) throw error;
			put(below, el("p.error", visible(error.message)));
		}
		below.hidden = false;
	}

	function remove() {
		askForChange({
			title: "Delete a dead message",
			verb: "Delete",
			isDanger: true,
			says: ["It is lost for good."],
			typed: id,
			method: "DELETE",
			path: address,
			outcome: () => "The message was deleted",
			done: away,
		});
	}

	return objectPage({
		title: "Dead message",
		trail: ["#/dead", "Dead messages"],
		path: `${address}?contentBytes=0`,
		seconds: 5,
		tell,
		gone: "This message is not there: it was sent again or deleted, or it was never kept.",
		actions: () => [
			changeButton("Show its content", "operator", read),
			changeButton("Send again …", "operator", () => replay({ ids: [id] }, "this message", away)),
			dangerButton("Delete …", "administrator", remove),
		],
		below,
	});
}

function tell(row) {
	return [
		el("p.error", el("strong", visible(row.reason.code)), " ", el("bdi", visible(row.reason.text ?? ""))),
		el(
			"div.facts",
			group("Message", [
				["Topic", row.oid ? link(at(["topics", row.oid]), name(row.oid)) : "addressed"],
				["Receiver", name(shortName(row.receiver))],
				["Sender", name(shortName(row.sender))],
				["Size", bytes(row.sizeBytes)],
			]),
			group("History", [
				["Received", clock(row.receivedAt)],
				["Died", clock(row.diedAt)],
				["Sent again before", count(row.replays ?? 0)],
				["Kept", row.volatile ? "its header only, until the broker stops" : "yes"],
			]),
		),
	];
}
