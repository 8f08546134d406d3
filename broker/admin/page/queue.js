// One queue.

import { queueActions } from "./actions.js";
import { path } from "./api.js";
import { at, el, link, name } from "./dom.js";
import { entriesPanel } from "./entries.js";
import { ago, bytes, count, number, percent } from "./format.js";
import { group, objectPage } from "./object.js";
import { whyPanel } from "./why.js";

const WHAT = { callback: "Messages for the session", subject: "Messages for whoever logs in as", history: "What is kept of the topic" };

export function show(place) {
	const [, relating, owner] = place.segments;
	return objectPage({
		title: owner,
		trail: ["#/queues", "Queues"],
		path: path("queues", relating, owner),
		tell,
		gone: "This queue is not there: what it belonged to has ended, or never was.",
		actions: relating === "history" ? null : queueActions,
		below: entriesPanel(relating, owner),
	});
}

function ownerLink({ relating, owner }) {
	if (relating === "history") return link(at(["topics", owner]), name(owner));
	if (relating === "subject") return link(at(["sessions"], { subject: owner }), name(owner));
	const cut = owner.lastIndexOf("~");
	const [subject, number] = [owner.slice(0, cut), owner.slice(cut + 1)];
	return link(at(["sessions", subject, number]), name(`${subject}/${number}`));
}

function tell(row) {
	return [
		el("p.lead", el("span", WHAT[row.relating] ?? row.relating, " ", ownerLink(row))),
		whyPanel(row.waiting, row.entries),
		el(
			"div.facts",
			group("Messages", [
				["Messages", count(row.entries), `of ${count(row.maxEntries)}`],
				["Bytes", bytes(row.bytes), `of ${bytes(row.maxBytes)}`],
				["Full", percent(row.fillRatio), row.onOverflow ? `then: ${row.onOverflow}` : "then the oldest go"],
				["Oldest", row.oldestAt ? `${ago(row.oldestAt)} ago` : "–"],
				...(row.leftPerSecond === undefined ? [] : [["Leave it", `${number(row.leftPerSecond)} per second`]]),
				...(row.publishersWaiting ? [["Publishers wait for room", count(row.publishersWaiting)]] : []),
			]),
			group("Where they are", [
				["In memory", count(row.inMemory)],
				["On disk only", count(row.onDisk)],
				...(row.durable === undefined ? [] : [["Survive a crash", count(row.durable)]]),
			]),
		),
	];
}
