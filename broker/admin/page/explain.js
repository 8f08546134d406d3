// Who gets a message, and why, or why not: asked before anybody publishes.

import { change, Refused } from "./api.js";
import { at, el, link, name, PLAIN, put, visible } from "./dom.js";
import { number } from "./format.js";
import { sessionNamed } from "./sessions.js";

const TONES = { pass: "good", fail: "bad", skip: "muted" };
const OUTCOMES = { delivered: "good", waits: "warn", refused: "bad", dropped: "bad" };
const words = (check) => check.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
const KINDS = [["", "what it has subscribed to"], ["oid", "as if it had the topic"], ["xpath", "as if it had the query"], ["domain", "as if it had the domain"]];
const TYPES = ["normal", "chat", "headline", "groupchat", "error"].map((each) => [each, each]);

export function show(place) {
	const subscription = question(place, {
		title: "A subscription",
		says: "Why a session gets what is published on a topic, or does not. Nothing is published.",
		fields: [
			{ key: "session", label: "Session", holder: "joe/1" },
			{ key: "topic", label: "Topic", isNeeded: true },
			{ key: "by", label: "By", choices: KINDS },
			{ key: "query", label: "Topic, query or domain it would have" },
			{ key: "content", label: "Content of the message, for filters" },
			{ key: "sender", label: "Sender of the message", holder: "ann/1" },
		],
		path: "subscriptions/explain",
		make: ({ session, subscription: id, topic, by, query, content, sender }) => ({
			topic,
			...(id && !session ? { subscription: id } : { session }),
			...(by ? { query: { [by]: query } } : {}),
			...(content || sender ? { message: { contentText: content, ...(sender ? { sender } : {}) } } : {}),
		}),
		tell: (told) => [
			el("p.verdict", link(sessionNamed(told.session), name(told.session)), el(`b.${told.delivers ? "good" : "bad"}`, told.delivers ? " gets it" : " does not get it")),
			el("ol.steps", told.steps.map((step) => el("li", el(`b.${TONES[step.outcome]}`, step.outcome), el("span", visible(words(step.check)), step.detail ? el("small", name(step.detail)) : null), step.microseconds === undefined ? null : el("small", `${number(step.microseconds)} µs`)))),
		],
	});
	const route = question(place, {
		title: "A message of XMPP",
		says: "Which resources it would reach. Nothing is sent.",
		fields: [
			{ key: "from", label: "From", holder: "ann@example.org", isNeeded: true },
			{ key: "to", label: "To", holder: "joe@example.org", isNeeded: true },
			{ key: "type", label: "Type", choices: TYPES },
		],
		path: "routes/explain",
		make: ({ from, to, type }) => ({ from, to, type }),
		tell: (told) => [
			el("p.verdict", el(`b.${OUTCOMES[told.outcome] ?? "muted"}`, visible(told.outcome)), " ", name(told.reason)),
			el("ol.steps", told.resources.map((each) => el("li", el(`b.${each.gets ? "good" : "muted"}`, each.gets ? "gets it" : each.carbon ? "a copy" : "nothing"), el("span", name(each.jid), el("small", name(each.reason)))))),
		],
	});
	return { title: "Explain", node: el("div.explain", el("div.heading", el("h1", "Explain")), subscription, route) };
}

function question(place, { title, says, fields, path, make, tell }) {
	const given = place.query;
	const answer = el("div", { role: "status" });
	const inputs = fields.map(({ key, label, holder, choices, isNeeded = false }) => {
		const input = choices ? el("select", choices.map(([value, words]) => new Option(words, value))) : el("input", { required: isNeeded, placeholder: holder, ...PLAIN });
		if (given[key] !== undefined || !choices) input.value = given[key] ?? "";
		return { key, input, node: el("label", el("span", label), input) };
	});
	const values = () => Object.fromEntries(inputs.map((each) => [each.key, each.input.value.trim()]));

	async function submit(event) {
		event.preventDefault();
		history.pushState(null, "", at(place.segments, values()));
		await ask(values());
	}

	async function ask(wanted) {
		try {
			put(answer, tell(await change(path, "POST", make(wanted))));
		} catch (error) {
			if (!(error instanceof Refused)) throw error;
			put(answer, el("p.error", visible(error.problem.errors?.map((each) => each.detail).join("; ") || error.message)));
		}
	}

	const needed = fields.filter((each) => each.isNeeded);
	if (needed.every((each) => given[each.key]) && (given.session || given.subscription || given.from)) ask({ ...given });
	return el("section.panel", el("h2", title), el("p.subtitle", says), el("form.question", { submit }, inputs.map((each) => each.node), el("button.primary", { type: "submit" }, "Explain")), answer);
}
