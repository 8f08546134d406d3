// Messages on their way: of a topic, a session or a login name, for a while.

import { Refused } from "./api.js";
import { at, el, link, name, PLAIN, visible } from "./dom.js";
import { Feed } from "./feed.js";
import { bytes, clock, count } from "./format.js";
import { sessionNamed } from "./sessions.js";
import { isLost, read } from "./stream.js";
import { topicAt } from "./topics.js";

const BY = [["topic", "Topic"], ["session", "Session"], ["subject", "Login name"]];
const TIMES = [["300", "for 5 minutes"], ["60", "for a minute"], ["900", "for 15 minutes"]];
const POINTS = { "publish.enter": "published", "publish.ack": "accepted", "update.queue.add": "queued", "update.send": "sent", "update.ack": "acknowledged" };
const BAD = new Set(["dead", "expired", "discarded"]);
const REASONS = { time: "the time is over", most: "it has told as many as it may", right: "you may not look on any more", stopped: "the broker has stopped it" };

const COLUMNS = [
	{ title: "When", cell: (row) => clock(row.at) },
	{ title: "What", cell: (row) => el(`span${BAD.has(row.point) ? ".bad" : ""}`, POINTS[row.point] ?? visible(row.point)) },
	{ title: "Topic", cell: (row) => (row.oid ? link(topicAt(row), name(row.oid)) : "") },
	{ title: "From", cell: (row) => peer(row.sender) },
	{ title: "To", cell: (row) => peer(row.receiver) },
	{ title: "Size", isNumber: true, cell: (row) => (row.sizeBytes === undefined ? "" : bytes(row.sizeBytes)) },
	{ title: "Message", isNumber: true, cell: (row) => visible(row.messageId ?? "") },
];

function peer(text) {
	return /\/-?\d+$/.test(text ?? "") ? link(sessionNamed(text), name(text)) : name(text ?? "");
}

/** The address of a tail: `tailOf("topic", "news")`. */
export function tailOf(by, text) {
	return at(["tail"], { [by]: text });
}

export function show(place) {
	const feed = new Feed({
		label: "Messages",
		noun: ["sighting"],
		columns: COLUMNS,
		empty: el("p", "Each message that is published, queued, sent, acknowledged or dead while you look on is one row for each of these. Looking on changes nothing; it ends by itself."),
	});
	const [given, text] = Object.entries(place.query).find(([key]) => BY.some(([by]) => by === key)) ?? ["topic", ""];
	const by = select("Messages of", BY, given);
	const seconds = select("How long", TIMES, place.query.seconds ?? "300");
	const what = el("input", { "aria-label": "Name", placeholder: "Name", required: true, ...PLAIN });
	const start = el("button.primary", { type: "submit" }, "Follow");
	what.value = text;
	let aborter = null;

	function submit(event) {
		event.preventDefault();
		if (aborter) aborter.abort();
		else {
			history.replaceState(null, "", at(place.segments, { [by.value]: what.value, seconds: seconds.value === "300" ? "" : seconds.value }));
			follow();
		}
	}

	async function follow() {
		const own = (aborter = new AbortController());
		start.textContent = "Stop";
		feed.clear();
		feed.tell(`following until ${clock(Date.now() + Number(seconds.value) * 1000)}`);
		let words = "stopped";
		try {
			await read(`tail?${new URLSearchParams({ [by.value]: what.value, seconds: seconds.value })}`, (event, row) => {
				if (event === "seen") feed.add(row);
				if (event === "end") words = `ended: ${REASONS[row.reason] ?? visible(row.reason)}${row.leftOut ? `; ${count(row.leftOut)} were too many in a second and were left out` : ""}`;
			}, own.signal);
		} catch (error) {
			if (error instanceof Refused) words = visible(error.message);
			else if (!isLost(error)) throw error;
			else if (!own.signal.aborted) words = "the connection was lost";
		}
		aborter = null;
		start.textContent = "Follow";
		feed.tell(words);
	}

	if (text) follow();
	return {
		title: text ? `Tail of ${text}` : "Tail",
		node: el("div.list", el("div.heading", el("h1", "Tail"), el("form.filters", { submit }, by, what, seconds, start)), feed.node),
		stop: () => aborter?.abort(),
	};
}

function select(label, choices, value) {
	const made = el("select", { "aria-label": label }, choices.map(([each, words]) => new Option(words, each)));
	made.value = value;
	return made;
}
