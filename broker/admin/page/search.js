// The one search: sessions, topics and connections whose names have a part.

import { list, Refused, Unreachable } from "./api.js";
import { at, el, name, put } from "./dom.js";
import { after } from "./live.js";
import { sessionAt } from "./sessions.js";
import { topicAt } from "./topics.js";

const MOST = 8;
const PAUSE = 150;
const PLACES = [
	{ title: "Sessions", path: "sessions", parameter: (text) => ({ q: text }), label: (row) => row.name, address: sessionAt },
	{ title: "Topics", path: "topics", parameter: (text) => ({ q: text }), label: (row) => row.oid, address: topicAt },
	{
		title: "Connections",
		path: "connections",
		parameter: (text) => ({ peer: `*${text.replaceAll("*", "")}*` }),
		label: (row) => `${row.peer} ${row.session ?? ""}`,
		address: (row) => at(["connections"], { peer: row.peer.replace(/:\d+$/, "") }),
	},
];

/** The box and what it has found. */
export function searchBox() {
	let searched = "";
	let chosen = -1;
	const found = el("div.found", { id: "found", role: "listbox", "aria-label": "Found", hidden: true });
	const input = el("input", {
		type: "search",
		role: "combobox",
		placeholder: "Search  /",
		"aria-label": "Search sessions, topics and connections",
		"aria-expanded": "false",
		"aria-controls": "found",
		autocomplete: "off",
		spellcheck: "false",
		input: after(PAUSE, look),
		keydown: key,
		focus: () => input.value && look(),
	});
	const node = el("div.search", { focusout: (event) => node.contains(event.relatedTarget) || close() }, input, found);

	async function look() {
		const text = input.value.trim();
		searched = text;
		if (!text) {
			close();
			return;
		}
		try {
			const lists = await Promise.all(PLACES.map((each) => list(each.path, { ...each.parameter(text), limit: MOST }, {})));
			if (text === searched) showAll(lists.map((each) => each.items.filter((row) => !row.error)));
		} catch (error) {
			if (!(error instanceof Refused || error instanceof Unreachable)) throw error;
			put(found, el("p", error.message));
			open();
		}
	}

	function showAll(lists) {
		const parts = lists.flatMap((rows, index) =>
			rows.length === 0
				? []
				: [
						el(
							"div",
							{ role: "group", "aria-label": PLACES[index].title },
							el("p.title", { "aria-hidden": "true" }, PLACES[index].title),
							rows.map((row) => option(PLACES[index].address(row), PLACES[index].label(row))),
						),
					],
		);
		put(found, parts.length ? parts : el("div", { role: "option", "aria-disabled": "true", "aria-selected": "false" }, "Nothing has this in its name."));
		pick(parts.length ? 0 : -1);
		open();
	}

	function option(address, label) {
		return el("a", { role: "option", href: address, tabindex: "-1", "aria-selected": "false", click: close }, name(label));
	}

	function options() {
		return [...found.querySelectorAll("a")];
	}

	function pick(index) {
		chosen = index;
		options().forEach((each, place) => {
			each.id = `found-${place}`;
			each.setAttribute("aria-selected", String(place === index));
		});
		if (index < 0) input.removeAttribute("aria-activedescendant");
		else input.setAttribute("aria-activedescendant", `found-${index}`);
		options()[index]?.scrollIntoView({ block: "nearest" });
	}

	function key(event) {
		const length = options().length;
		if (event.key === "ArrowDown" && length) pick((chosen + 1) % length);
		else if (event.key === "ArrowUp" && length) pick((chosen - 1 + length) % length);
		else if (event.key === "Enter") enter();
		else if (event.key === "Escape") {
			input.value = "";
			close();
			input.blur();
		} else return;
		event.preventDefault();
	}

	async function enter() {
		if (searched !== input.value.trim() || found.hidden) await look();
		const wanted = options()[Math.max(0, chosen)];
		if (wanted) {
			location.hash = wanted.hash;
			input.value = "";
			close();
			input.blur();
		}
	}

	function open() {
		found.hidden = false;
		input.setAttribute("aria-expanded", "true");
	}

	function close() {
		searched = "";
		found.hidden = true;
		input.setAttribute("aria-expanded", "false");
		input.removeAttribute("aria-activedescendant");
	}

	return { node, focus: () => (input.focus(), input.select()) };
}
