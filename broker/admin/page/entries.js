// Messages of a queue, looked at without a trace: nothing is taken, marked or reordered.

import { ask, list, may, path, Refused, Unreachable } from "./api.js";
import { el, name, PLAIN, put, say, terms, visible } from "./dom.js";
import { entryActions } from "./entry_actions.js";
import { bytes, clock, count, plural, shortName, until } from "./format.js";
import { after } from "./live.js";

const PAGE = 50;
const CONTENT = 65_536; // bytes of a content that are shown

/** The section; `look` fetches anew. */
export function entriesPanel(relating, owner) {
	const address = `${path("queues", relating, owner)}/entries`;
	const isHistory = relating === "history";
	let from = isHistory ? "tail" : "head";
	let next = "";
	let chosen = null;
	const marked = new Set();
	const actions = isHistory ? null : entryActions(relating, owner, { marked, filters: wanted, done: look });
	const typed = after(300, look);
	const filters = [["oid", "Topic: news*"], ["sender", "Sender: *joe*"]].map(([key, words]) => el("input", { type: "search", name: key, "aria-label": words.split(":")[0], placeholder: words, ...PLAIN, input: typed }));
	const body = el("tbody", { change: mark });
	const state = el("p.status", { role: "status" });
	const more = el("button", { type: "button", hidden: true, click: () => fetchMore() }, "Show more");
	const detail = el("aside.message", { "aria-label": "Message", hidden: true });
	const ends = el("div.segments", { role: "group", "aria-label": "Which end" }, [["head", isHistory ? "Oldest first" : "Next first"], ["tail", "Newest first"]].map(([end, label]) => el("button", { type: "button", "aria-pressed": String(end === from), click: () => turn(end) }, label)));
	const table = el(
		"table",
		{ "aria-label": "Messages" },
		el("thead", el("tr", isHistory ? null : el("th.tick", { scope: "col" }, el("input", { type: "checkbox", "aria-label": "Mark all that are shown", change: markAll })), ["Topic", "Sender", "Received", "Size", "Priority", ""].map((title, index) => el(`th${index === 3 || index === 4 ? ".number" : ""}`, { scope: "col" }, title || el("span.unseen", "State"))))),
		body,
	);
	const holder = el("div.entries", el("div.rows", { tabindex: "0", role: "region", "aria-label": "List of messages" }, table), detail);

	function turn(end) {
		from = end;
		for (const [index, button] of [...ends.children].entries()) button.setAttribute("aria-pressed", String((index === 0) === (end === "head")));
		look();
	}

	function wanted() {
		return Object.fromEntries(filters.filter((each) => each.value.trim()).map((each) => [each.name, each.value.trim()]));
	}

	function mark({ target }) {
		if (target.checked) marked.add(target.value);
		else marked.delete(target.value);
		actions.follow();
	}

	function markAll({ target }) {
		for (const box of body.querySelectorAll("input")) {
			box.checked = target.checked;
			mark({ target: box });
		}
	}

	async function look() {
		next = "";
		chosen = null;
		marked.clear();
		actions?.follow();
		const all = table.querySelector("th input");
		if (all) all.checked = false;
		detail.hidden = true;
		put(body);
		await fetchMore();
	}

	async function fetchMore() {
		try {
			const told = await list(address, { ...wanted(), from, limit: PAGE, cursor: next, contentBytes: may("operator") ? "0" : undefined }, {});
			body.append(...told.items.map(row));
			next = told.page.next ?? "";
			more.hidden = !next;
			say(state, body.children.length ? `${plural(body.children.length, "message")}${next ? ", and there are more" : ""}, as of ${clock(told.asOf)}` : Object.keys(wanted()).length ? "No message matches." : isHistory ? "Nothing is kept." : "Nothing waits.");
		} catch (error) {
			if (!(error instanceof Refused || error instanceof Unreachable)) throw error;
			say(state, visible(error.message));
		}
	}

	function row(entry) {
		if (entry.error) return el("tr", el("td", { colspan: 7 }, `${entry.id}: ${entry.error}`));
		const open = el("button.plain", { type: "button", "aria-expanded": "false", click: () => show(entry, open) }, name(entry.oid || "addressed"));
		return el(
			"tr",
			{ click: (event) => event.target.closest("button, .tick") || show(entry, open) },
			isHistory ? null : el("td.tick", el("input", { type: "checkbox", value: entry.seq, "aria-label": `Mark message ${entry.messageId}` })),
			el("td", open),
			el("td", name(shortName(entry.sender))),
			el("td", clock(entry.receivedAt)),
			el("td.number", bytes(entry.sizeBytes)),
			el("td.number", count(entry.priority)),
			el("td", marks(entry)),
		);
	}

	function show(entry, button) {
		chosen?.setAttribute("aria-expanded", "false");
		for (const each of body.children) each.classList.toggle("current", each.contains(button));
		const isSame = chosen === button;
		chosen = isSame ? null : button;
		detail.hidden = isSame;
		if (isSame) return;
		button.setAttribute("aria-expanded", "true");
		put(detail, describe(entry));
	}

	function describe(entry) {
		const content = el("div.content");
		const read = el("button", { type: "button", click: () => contents(entry, content, read) }, "Show its content");
		const facts = [
			["Message", entry.messageId],
			["Received", entry.receivedAt],
			["Size", bytes(entry.sizeBytes)],
			["Priority", count(entry.priority)],
			["Survives a crash", entry.persistent ? "yes" : "no"],
			...(entry.expiresAt ? [["Expires", `in ${until(entry.expiresAt)}`]] : []),
			...(entry.subscription ? [["Subscription", visible(entry.subscription)]] : []),
			...(entry.stanza ? [["Stanza", visible([entry.stanza.kind, entry.stanza.type, entry.stanza.id].filter(Boolean).join(" "))]] : []),
			...(entry.redeliver ? [["Delivered in vain", plural(entry.redeliver, "time")]] : []),
		];
		return [
			el("h3", name(entry.oid || "Addressed message")),
			terms(facts),
			el("h4", "Key"),
			el("pre", { tabindex: "0" }, el("code", visible(entry.key, 4000))),
			may("operator")
				? [el("p", read), el("p.hint", "Reading a content is written to the audit.")]
				: el("p.hint", "Contents are for the role operator."),
			content,
		];
	}

	async function contents(entry, place, button) {
		button.disabled = true;
		try {
			const found = await find(entry);
			put(
				place,
				found
					? contentOf(found)
					: el("p", "It has left the queue meanwhile."),
			);
		} catch (error) {
			if (!(error instanceof Refused || error instanceof Unreachable)) throw error;
			put(place, el("p.error", visible(error.message)));
			button.disabled = false;
		}
	}

	async function find(entry) {
		let cursor = "";
		for (let pages = 0; pages < 20; pages += 1) {
			const told = await ask(`${address}?${new URLSearchParams({ from, oid: entry.oid, limit: PAGE, contentBytes: CONTENT, ...(cursor ? { cursor } : {}) })}`);
			const found = told.items.find((each) => each.seq === entry.seq);
			if (found || !told.page.next) return found;
			cursor = told.page.next;
		}
		return undefined;
	}

	look();
	return el("section.panel", el("div.heading", el("h2", "Messages"), el("form.filters", { role: "search", submit: (event) => event.preventDefault() }, filters), ends, el("button", { type: "button", click: look }, "Look again")), actions?.node, holder, el("footer", state, more));
}

/** The content of a message, its QoS and properties. */
export function contentOf(found) {
	const hasProperties = found.properties && Object.keys(found.properties).length;
	return [text("Content", shown(found.content)), found.qos ? text("QoS", visible(found.qos, 8000)) : null, hasProperties ? properties(found.properties) : null];
}

function marks(entry) {
	return [
		entry.inFlight ? el("span.mark", "on its way") : null,
		entry.redeliver ? el("span.mark.held", `${count(entry.redeliver)}× in vain`) : null,
		entry.onDisk ? el("span.mark", "on disk") : null,
		entry.persistent ? null : el("span.mark", "transient"),
	];
}

function shown(content) {
	if (!content) return "";
	if (content.text === undefined || content.text === null) return `${content.base64}\n(base64 of ${bytes(content.bytes)})`;
	const lines = content.text.split("\n").map((line) => visible(line.replaceAll("\t", "    "), CONTENT));
	return `${lines.join("\n")}${content.truncated ? `\n… of ${bytes(content.bytes)}` : ""}`;
}

function text(title, value) {
	return [el("h4", title), el("pre", { tabindex: "0" }, el("code", value || "(empty)"))];
}

function properties(values) {
	return [el("h4", "Properties"), terms(Object.entries(values).map((pair) => pair.map((each) => name(each))))];
}
