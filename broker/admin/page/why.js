// Why the first message of a queue waits: the causes as the broker gives them, the decisive one first.

import { el, visible } from "./dom.js";
import { ago, clock, duration } from "./format.js";

const WORDS = {
	runLevel: "run level too low",
	storeFailing: "the store cannot commit",
	commitPending: "waits for a commit",
	onDisk: "is being read from disk",
	heldBack: "deliveries are held back",
	noReceiver: "no callback",
	receiverAway: "receiver is away",
	receiverBeingCalled: "receiver is being called",
	takenOver: "taken over, no callback yet",
	detachedStream: "stream is detached",
	unanswered: "update is unanswered",
	windowFull: "window is full",
	notReading: "receiver does not read",
	collecting: "messages are collected",
	stalled: "receiver is stalled",
	loginBlocked: "login is blocked",
	noSessionTakes: "no session takes it",
	flowing: "flows",
};
const HARMLESS = new Set(["flowing", "collecting", "onDisk"]);

/** A code in a few words. */
function wordsOf(code) {
	return WORDS[code] ?? visible(code);
}

/** The codes that there are, for a choice. */
export function codes() {
	return Object.entries(WORDS);
}

/** The decisive cause in a cell of a table. */
export function whyCell(waiting) {
	if (!waiting?.length) return "";
	const [first] = waiting;
	const since = first.since ? `, ${ago(first.since)}` : "";
	return el(`span.cause${HARMLESS.has(first.code) ? "" : ".held"}`, `${wordsOf(first.code)}${since}`);
}

/** The panel on top of whatever waits. */
export function whyPanel(waiting, entries) {
	if (!entries) return null;
	if (!waiting?.length) return null;
	const causes = waiting.map((each) =>
		el(
			"li",
			el("p.cause", el("strong", wordsOf(each.code)), el("code", visible(each.code)), sinceOf(each)),
			each.detail ? el("p", el("bdi", visible(each.detail))) : null,
			each.whatToDo ? el("p.todo", el("span", "What to do"), " ", visible(each.whatToDo)) : null,
		),
	);
	return el("section.why", { "aria-label": "Why is it waiting?" }, el("h2", "Why is it waiting?"), el("ol", causes));
}

function sinceOf(cause) {
	return cause.since ? el("time", { datetime: cause.since, title: cause.since }, `for ${duration((Date.now() - Date.parse(cause.since)) / 1000)}, since ${clock(cause.since)}`) : null;
}
