// One session: why it waits, its queue, its stream, what it did.

import { sessionActions } from "./actions.js";
import { path } from "./api.js";
import { at, el, link, name, visible } from "./dom.js";
import { entriesPanel } from "./entries.js";
import { ago, bytes, clock, count, duration, percent, until } from "./format.js";
import { group, objectPage } from "./object.js";
import { stateCell } from "./sessions.js";
import { whyPanel } from "./why.js";

export function show(place) {
	const [, subject, number] = place.segments;
	let buttons = null;
	return objectPage({
		title: `${subject}/${number}`,
		trail: ["#/sessions", "Sessions"],
		path: path("sessions", subject, number),
		tell,
		gone: "This session is not there: it has ended, or never was.",
		instead: el("p", link(at(["sessions"], { subject }), "Sessions of ", name(subject)), " · ", link(at(["queues", "subject", subject]), "their common queue")),
		actions: (read, look) => (buttons = sessionActions(read, look)).nodes,
		follow: (row) => buttons.follow(row),
		below: entriesPanel("callback", `${subject}~${number}`),
	});
}

function tell(row) {
	const { queue, counters, stream } = row;
	const owner = `${row.subject}~${row.publicId}`;
	return [
		el("p.lead", stateCell(row), el("span", row.kind), row.resource ? el("span", "resource ", name(row.resource)) : null, row.persistent ? el("span", "survives a crash") : null),
		whyPanel(row.waiting, queue.entries),
		row.lastError ? el("p.error", el("strong", "Last error of a delivery "), el("bdi", visible(row.lastError))) : null,
		el(
			"div.facts",
			group("Queue", [
				["Messages", link(at(["queues", "callback", owner]), count(queue.entries)), `of ${count(queue.maxEntries)}`],
				["Bytes", bytes(queue.bytes), `of ${bytes(queue.maxBytes)}`],
				["Full", percent(queue.fillRatio), `then: ${queue.onOverflow}`],
				["In memory", count(queue.inMemory)],
				["Survive a crash", count(queue.durable)],
				["Oldest", queue.oldestAt ? `${ago(queue.oldestAt)} ago` : "–"],
			]),
			stream ? group("Stream", streamRows(stream)) : null,
			group("What it did", Object.entries(counters).map(([term, value]) => [term, count(value)])),
			group("Session", [
				["Subject", link(at(["sessions"], { subject: row.subject }), name(row.subject))],
				["Made", clock(row.createdAt)],
				["Last request", clock(row.lastSeenAt), `${duration(row.idleSeconds)} ago`],
				["Ends", row.endsAt ? `in ${until(row.endsAt)}` : "never by itself"],
				["Subscriptions", link(at(["subscriptions"], { session: row.name }), count(row.subscriptions))],
				["Deliveries", row.active ? "go on" : "are held back"],
				["Callback", row.connectionState],
				...(row.whyTransient ? [["Not persistent", visible(row.whyTransient)]] : []),
			]),
		),
	];
}

function streamRows(stream) {
	if (!stream.managed) return [["Stream management", "off"]];
	return [
		["Not acknowledged", count(stream.unacked), `of ${count(stream.window)}`],
		...(stream.sent === undefined ? [] : [["Sent", count(stream.sent)], ["Acknowledged", count(stream.acknowledged)], ["Received", count(stream.handled)]]),
		...(stream.lastAckAt ? [["Last acknowledgement", clock(stream.lastAckAt)]] : []),
	];
}
